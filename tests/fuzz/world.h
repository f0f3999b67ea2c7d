/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A hypervisor with one guest in a host process: all of it that handles what
 * a guest does, on the machine of tests/host. A run begins with world_reset()
 * and may end anywhere with the guest's death.
 */
#ifndef WORLD_H
#define WORLD_H

#include <cpu.h>

#include "fuzz.h"
#include "core.h"

/* Guest-physical frames that hold something from the start. */
enum {
	PD_FRAME = 1, PT_FRAME, PDPT_FRAME, PAE_PD_FRAME, PAE_PD3_FRAME,
	PAE_PT_FRAME, GDT_FRAME, IDT_FRAME, TSS_FRAME, LDT_FRAME, CODE_FRAME,
	STACK_FRAME, DATA_FRAME, USER_FRAME,
	USED_FRAMES
};
#define WORLD_FRAMES	1024
/* The first 4 MB are mapped here; at 0 too, and there user code may go. */
#define KERNEL_BASE	0xc0000000u
#define IN_FRAME(f)	(KERNEL_BASE + ((f) << PAGE_SHIFT))

enum world_mode {
	WORLD_NATIVE,		/* as the loader leaves it: no paging */
	WORLD_PAGING,		/* the guest has turned it on */
	WORLD_VMI,		/* after VMI_Init */
	WORLD_VMI_PAE,
	WORLD_MODES
};

extern struct guest *guest;
extern struct vcpu *v;

void world_reset(enum world_mode);
/* Call f(in); false if the guest died, or the machine ended, on the way. */
bool world_run(void (*f)(struct input *), struct input *in);
/* An exit as entry.asm makes it, then back to the guest: its registers and
 * what the processor has loaded are checked. */
void world_exit(unsigned int vector, uint32_t error);
/* The processor refuses to go to what the registers say. */
void world_iret_fault(unsigned int vector, uint32_t error);
void world_vm86(unsigned int vector);
/* The guest stores, or software of ours does for it, to physical memory. */
void world_write(gpa_t pa, const void *src, uint32_t len);
uint8_t *world_ram(gpa_t pa);
/* A page fault, if the processor does not allow the guest this access. */
void world_access(gva32_t va, bool write, bool user, bool fetch);
/* On the machine's serial port, which takes no byte from now on if this one is
 * odd. */
void world_type(uint8_t byte);
/* If there is one: called before guest memory is copied, from here on. */
extern void (*world_copies)(uint8_t *at, uint32_t len);

/* What must hold whatever the guest does. */
void world_check_tables(void);		/* GDT, LDT, gates */
void world_check_cpu(void);		/* control and debug registers */
void world_check_shadow(void);		/* what is mapped */

#endif
