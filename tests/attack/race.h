/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Cases with a second vCPU, on a processor of its own: what one is judged by
 * changes under the other. Each lasts option "ms" milliseconds. Boot with
 * "cpus=2": tests/run/attack.py.
 */
#ifndef RACE_H
#define RACE_H

#include "attack.h"
#include "smp.h"

#define OTHER		1u		/* the second vCPU */
#define RACE(name, run, ...)						\
	CASE_ARG("race_" #name, run, 0, .boot = "cpus=2", ##__VA_ARGS__)
/* More of them than processors. */
#define RACE_FOUR(name, run, ...)					\
	CASE_ARG("race_" #name, run, 0, .boot = "cpus=4", ##__VA_ARGS__)

extern const struct attack race_memory_cases[];	/* race_memory.c */
extern const struct attack race_cpu_cases[];	/* race_cpu.c */
extern const struct attack race_apic_cases[];	/* race_apic.c */
extern const struct attack race_flush_cases[];	/* race_flush.c */
extern const struct attack race_end_cases[];	/* race_ends.c */

/* A number that has nothing to do with the next. */
static inline uint32_t scramble(uint32_t i)
{
	i = (i ^ 0x2545f491) * 0x9e3779b1;
	i = (i ^ i >> 15) * 0x85ebca6b;
	return i ^ i >> 13;
}

/* ---- race.c ---------------------------------------------------------------- */

typedef void step(uint32_t round);

/* Faults of both vCPUs go where SAFE has been told, or end it all. With quiet
 * they may: the guest dies instead. */
void race_set_up(bool quiet);
/* The other begins, with these steps one after the other, and its GDT or that
 * of the first one; and once more after an INIT. */
void race_begin(step *theirs, bool own_gdt);
void race_begin_more(void);		/* all that there are besides, too */
bool race_on(void);			/* is there time left? */
/* The machine may leave one of them no time: until this holds there is time left, but
 * for no more than so many seconds. */
extern bool (*race_awaits)(void);
#define RACE_LOST	60u
/* Mine until there is none, then the other stops. */
void race_until_over(step *mine);
void race(step *mine, step *theirs);
extern struct vmi_ap_state race_state;	/* that the other begins with */

/* Frames with a mark in their sixth word. */
#define RACE_FRAMES	16u
#define RACE_WORD	20u		/* where it is */
#define RACE_MARK	0xace00000u
extern uint32_t race_frame[RACE_FRAMES][1024];
/* The entry of one of them, or of what is none; one that may be read. */
uint32_t race_entry(uint32_t n);
/* Is this what one of them shows? */
bool race_shows(uint32_t word);
extern volatile uint32_t race_wrong;	/* is not */
extern volatile uint32_t race_fault;	/* where the last one that fixup takes was */

/* On either vCPU: false if it faults. */
#define SAFE		0x5afe5afeu
bool safe_read(uint32_t va, uint32_t *word);
bool safe_write(uint32_t va, uint32_t word);
bool safe_es(uint32_t selector);	/* USER_DS again behind it */
/* Code at va, up to its RET; ECX is this. */
bool safe_call(uint32_t va, uint32_t ecx);

/* ---- enter.asm --------------------------------------------------------------- */

/* Where the other may begin: it leaves EAX there, and does nothing more. */
void race_begins(void);
extern volatile uint32_t race_generation;
extern uint8_t race_places[4][16];

#endif
