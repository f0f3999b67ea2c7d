/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A case of an attacker, of 32 or 64 bits: what it runs, and how that must end.
 */
#ifndef CASE_H
#define CASE_H

#include <stdint.h>

struct attack {
	const char	*name;
	void		(*run)(uint32_t arg);
	uint32_t	arg;
	enum { WITH_VMI, NATIVE, WITH_PAE } mode;	/* NATIVE: no VMI_Init */
	/* A regular expression for what the hypervisor reports of the guest's
	 * death. NULL: it survives. */
	const char	*end;
	/* The same on a processor that checks segments, if it is another. */
	const char	*end_checked;
	/* "alone": with no bystander; "icount": time counts instructions;
	 * "cpus=N", "starts=N": that many, as vmi-run has it; "rights=manage". */
	const char	*boot;
};

/* What follows the arguments: .end and the others. */
#define CASE_ARG(name_, run_, arg_, ...) \
	{ .name = name_, .run = run_, .arg = arg_, ##__VA_ARGS__ }
#define CASE(run_, ...)		CASE_ARG(#run_, run_, 0, ##__VA_ARGS__)
#define CASE_NATIVE(run_, ...)	CASE(run_, .mode = NATIVE, ##__VA_ARGS__)
#define CASE_PAE(name_, run_, arg_, ...) \
	CASE_ARG(name_, run_, arg_, .mode = WITH_PAE, ##__VA_ARGS__)
#define CASES_END		{ .name = NULL }

/* What the guest does to itself is its own affair, as long as it ends as
 * itself: tests/run/attack.py. */
#define ANY_END		".*"

#endif
