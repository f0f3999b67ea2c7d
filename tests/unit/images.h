/* SPDX-License-Identifier: GPL-2.0-only */
/* Guests of the smallest kernel and our ROM, on the machine of tests/host. */
#ifndef IMAGES_H
#define IMAGES_H

#include "core.h"
#include "unit.h"

#define GUESTS		2
extern struct guest_config config[GUESTS];
#define OUT		0xee	/* OUT DX, AL */
extern const uint8_t images_code[4];	/* OUT, all of it */
extern uint64_t images_left;	/* of the machine's memory, without guests */

int images_load(void **state);		/* once */
int images_setup(void **state);		/* a machine without guests */
int images_free(void **state);		/* all that was taken is back */
struct guest *images_guest(uint32_t n);
/* One of its vCPUs is in the processor, which has no other, and begins. */
void images_begin(struct vcpu *);

#endif
