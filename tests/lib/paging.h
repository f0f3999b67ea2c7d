/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest's linear space: low memory is mapped twice, at 0 and at LINEAR, and
 * page tables are reached through LINEAR.
 */
#ifndef PAGING_H
#define PAGING_H

#include <stdint.h>

#define PAGE		4096u
#define LINEAR		0xc0000000u	/* low memory once more */
#define MAPPED		(32u << 20)	/* how much of it */
#define PLAY		0x40000000u	/* 4 MB with a table of the test's */
#define PLAY_PAGES	1024

#define PTE_P		0x001u
#define PTE_W		0x002u
#define PTE_U		0x004u
#define PTE_A		0x020u
#define PTE_D		0x040u
#define PTE_PS		0x080u

static inline uint32_t *linear(void *low)
{
	return (uint32_t *)((uintptr_t)low + LINEAR);
}

/* For cpu_init(). A test may bring its own, as tests/conformance does. */
void paging_init(void);
void announce_tables(void);		/* in VMI mode, as Linux does */

/* paging.c: entries of 4 bytes */
extern uint32_t page_directory[1024];

#endif
