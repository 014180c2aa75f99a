/* Shared by the files of registry_run.h. */
#pragma once

#include "registry_run.h"

void run_see(struct model_subscription *out, const struct subscription *subscription);
void run_check_same(const struct model_subscription *want,
                    const struct model_subscription *got);

struct run_notification {
    struct notification_row row;
    struct engine_notification put;
    bool done;
};

void run_notification_done(struct engine_notification *put);
