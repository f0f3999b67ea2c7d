// SPDX-License-Identifier: GPL-2.0-only
/* The stub's C calls, which the slots of the trace backend lead to. */
#include "../stub/calls.c"
