/*
 * Lists and attributes as subscriptions hold them: JSON in canonical form, without
 * white space, strings with only the escapes that they need. So two values are equal
 * when their bytes are, and a list is walked without being parsed.
 */
#pragma once

#include "base/buf.h"
#include "base/types.h"

/* Walks the elements of an array, or the members of an object, whose values are not
 * objects: *rest is the whole value first. False at the end. `name` is raw and without
 * its quotes. */
bool canonical_element(struct slice *rest, struct slice *element);
bool canonical_member(struct slice *rest, struct slice *name, struct slice *value);

bool list_has(struct slice list, struct slice element);
size_t list_count(struct slice list);
/* As sets. */
bool list_within(struct slice list, struct slice other);
/* Appends to out: the list with or without this element, or without those of another
 * one. */
void list_with(struct buf *out, struct slice list, struct slice element);
void list_without(struct buf *out, struct slice list, struct slice other);

/* p NULL if there is no such attribute. */
struct slice attribute_of(struct slice attributes, struct slice name);
/* Appends the attributes with this one set to value, or, p NULL, without it. */
void attributes_with(struct buf *out, struct slice attributes, struct slice name,
                     struct slice value);

/* What a subscription can be found by: its attributes' values, of arrays each element,
 * when they are no longer than this. */
#define ATTRIBUTE_FOUND_MAX 256

/* Walks those of `attributes` that `other` does not have; start with *at = {0}. */
struct attribute_walk {
    struct slice attributes, name, elements;
    bool begun, in_list;
};
bool attribute_next(struct attribute_walk *walk, struct slice attributes,
                    struct slice other, struct slice *name, struct slice *value);
