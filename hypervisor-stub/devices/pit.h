/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The 8254 interval timer and port 61h, which holds the gate of channel 2.
 *
 * A pure state machine. Times are TSC values that the caller passes and that
 * never go backwards. Differences from the chip: BCD counts are taken as
 * binary, a new count in modes 2 and 3 takes effect at once, the clock tick
 * that loads a count takes no time, and a control word makes no edge.
 */
#ifndef PIT_H
#define PIT_H

#include <stdbool.h>
#include <stdint.h>

#define PIT_HZ		1193182u

#define PIT_CH0		0x40
#define PIT_CH1		0x41
#define PIT_CH2		0x42
#define PIT_MODE	0x43
#define PIT_PORT61	0x61

#define PIT_NEVER	UINT64_MAX

struct pit_channel {
	uint64_t start;		/* TSC since which it counts */
	uint64_t elapsed;	/* ticks counted before that */
	uint32_t count;		/* 1-65536; 0: not loaded */
	uint16_t latch;
	uint8_t	status;		/* latched by read-back */
	uint8_t	control;	/* low six bits of the control word */
	uint8_t	mode;		/* 0-5 */
	uint8_t	access;		/* 1 low byte, 2 high byte, 3 both */
	uint8_t	low;		/* first byte of a two-byte write */
	bool	write_high;	/* the second byte is next */
	bool	read_high;
	bool	latched;
	bool	status_latched;
	bool	gate;
	bool	running;	/* counts now; modes 1, 5: was triggered */
};

struct pit {
	uint64_t tsc_hz;
	struct pit_channel channel[3];
	uint64_t edges;		/* edges of this count that were reported */
	bool	missed;		/* one happened before the last reload */
	bool	speaker;
};

void pit_init(struct pit *p, uint64_t tsc_hz);

/* Ports 40h-43h and 61h; others are ignored, read as ffh. */
void pit_out(struct pit *p, unsigned int port, uint8_t val, uint64_t now);
uint8_t pit_in(struct pit *p, unsigned int port, uint64_t now);

/*
 * TSC time of the next rising edge of IRQ 0, or PIT_NEVER; now if there was
 * one that pit_tick has not reported.
 */
uint64_t pit_next(const struct pit *p, uint64_t now);

/* Did IRQ 0 rise since the last call? Several missed edges count once. */
bool pit_tick(struct pit *p, uint64_t now);

#endif
