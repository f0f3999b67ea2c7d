// SPDX-License-Identifier: GPL-2.0-only
/* The calls in C of stub64, which the slots of the trace backend lead to. */
#include "../stub64/calls.c"
