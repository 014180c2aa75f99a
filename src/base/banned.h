/*
 * Functions that this project does without: a call is a compile error that says what to
 * use. The build includes this before every file of src/. The system's headers come
 * first here, so that calls are caught and declarations are not.
 */
#pragma once

#include <alloca.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* An undeclared name is an error in any expression, and the name is the message. */

#undef strcpy
#define strcpy(...) strcpy_is_banned_use_a_buf_or_memcpy
#undef strncpy
#define strncpy(...) strncpy_is_banned_use_a_buf_or_memcpy
#undef stpcpy
#define stpcpy(...) stpcpy_is_banned_use_a_buf_or_memcpy
#undef strcat
#define strcat(...) strcat_is_banned_use_a_buf
#undef strncat
#define strncat(...) strncat_is_banned_use_a_buf
#undef sprintf
#define sprintf(...) sprintf_is_banned_use_snprintf_or_a_buf
#undef vsprintf
#define vsprintf(...) vsprintf_is_banned_use_vsnprintf_or_a_buf
#undef strtok
#define strtok(...) strtok_is_banned_it_keeps_hidden_state
#undef alloca
#define alloca(...) alloca_is_banned_a_buffer_has_a_maximum

/* These cannot tell a bad number from zero. */
#undef atoi
#define atoi(...) atoi_is_banned_use_strtol_and_check
#undef atol
#define atol(...) atol_is_banned_use_strtol_and_check
#undef atoll
#define atoll(...) atoll_is_banned_use_strtoll_and_check
#undef atof
#define atof(...) atof_is_banned_use_strtod_and_check

#undef rand
#define rand(...) rand_is_banned_use_base_rng
#undef srand
#define srand(...) srand_is_banned_use_base_rng
#undef random
#define random(...) random_is_banned_use_base_rng
#undef drand48
#define drand48(...) drand48_is_banned_use_base_rng

/* A shell between the program and its work is a hole. */
#undef system
#define system(...) system_is_banned
#undef popen
#define popen(...) popen_is_banned

/* Waiting for a time is the event loop's business. */
#undef sleep
#define sleep(...) sleep_is_banned_wait_for_an_event
#undef usleep
#define usleep(...) usleep_is_banned_wait_for_an_event
#undef nanosleep
#define nanosleep(...) nanosleep_is_banned_wait_for_an_event

/* Time zones, hidden state and formats: base/timefmt has the only one that is needed.
 */
#undef localtime
#define localtime(...) localtime_is_banned_use_base_timefmt
#undef localtime_r
#define localtime_r(...) localtime_r_is_banned_use_base_timefmt
#undef gmtime
#define gmtime(...) gmtime_is_banned_use_base_timefmt
#undef ctime
#define ctime(...) ctime_is_banned_use_base_timefmt
#undef asctime
#define asctime(...) asctime_is_banned_use_base_timefmt
#undef mktime
#define mktime(...) mktime_is_banned_use_base_timefmt

/* Only base/clock.c reads a clock; everything else is given one and can be simulated.
 */
#ifndef PUSHWIRE_MAY_READ_CLOCK
#undef time
#define time(...) time_is_banned_use_base_clock
#undef gettimeofday
#define gettimeofday(...) gettimeofday_is_banned_use_base_clock
#undef clock_gettime
#define clock_gettime(...) clock_gettime_is_banned_use_base_clock
#undef timespec_get
#define timespec_get(...) timespec_get_is_banned_use_base_clock
#endif
