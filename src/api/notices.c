/* What operators are told: all of it for admins, a channel's own for who reads it. */
#include "api/resources.h"

static void
list_each(struct engine_notices *list, const struct notice_row *row)
{
    struct api_request *r = container_of(list, struct api_request, op.notices);
    if (!api_row_begin(r))
        return;
    notice_write(&r->json, row);
    json_object_end(&r->json);
    r->last_event = row->number;
}

static void
list_done(struct engine_notices *list)
{
    struct api_request *r = container_of(list, struct api_request, op.notices);
    char cursor[ID_TEXT];

    if (list->result != 0) {
        api_refuse(r, list->result, "no such channel");
        return;
    }
    uint64_t next = r->cut ? r->last_event : list->next;
    notice_id_format(cursor, next);
    api_page_end(r, next ? cursor : NULL);
}

void
notices_list(struct api_request *r)
{
    uint64_t before = UINT64_MAX;

    if (r->query.cursor[0] && !notice_id_parse(slice_of(r->query.cursor), &before)) {
        api_problem(r, 400, "cursor must be a nextCursor of this list");
        return;
    }
    r->op.notices = (struct engine_notices){
        .channel = r->channel ? r->channel->number : 0,
        .before = before,
        .limit = r->query.limit,
        .each = list_each,
        .done = list_done,
    };
    api_page_begin(r);
    httpd_hold(r->req);
    engine_notices(r->api->engine, &r->op.notices);
}
