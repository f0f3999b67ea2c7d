/* SPDX-License-Identifier: GPL-2.0-only */
/* What vmi-run and control.c say to each other, by a channel of the machine. */
#ifndef CORE_CONTROL_H
#define CORE_CONTROL_H

#include "core.h"
#include "vmi_hypercall.h"

/*
 * A call of VMI_HYPERCALLS, from List to ConsoleWrite. The memory of its caller begins
 * at 0 and has so many bytes, of whole pages; the first ones are given, behind this;
 * some of it is wanted back.
 */
#define CONTROL_MEMORY_MAX	(1ull << 30)
#define CONTROL_WANTED_MAX	4080u
struct control_call {
	uint64_t	number, arg[4];
	uint64_t	memory, given;
	uint64_t	from, wanted;
};

/* The bytes that were wanted are behind it; or none, after an error in the sizes. */
struct control_answer {
	int64_t		result;
	uint64_t	bytes;
};

#endif
