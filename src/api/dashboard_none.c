/* What a build without the dashboard says in its place. */
#include "api/dashboard.h"

static const char text[] =
    "This is Pushwire. It was built without its dashboard (-Ddashboard=disabled, or no "
    "Node.js was there).\n"
    "The API is below /v1/; `pushwire --help` lists the commands that talk to it.\n";

const struct dashboard_file dashboard_files[] = {
    {"/", "text/plain; charset=utf-8", "none", false, (const unsigned char *)text,
     sizeof(text) - 1, NULL, 0},
};
const size_t dashboard_n_files = ARRAY_LEN(dashboard_files);
