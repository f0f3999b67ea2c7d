// SPDX-License-Identifier: GPL-2.0-only
/*
 * The devices, as their drivers and their surroundings use them: any sequence
 * of port and register accesses, interrupt lines, bytes that arrive and time
 * that passes. After each step what the headers promise is checked.
 */
#include <stdlib.h>

#include "devices.h"
#include "fuzz.h"

#define TSC_HZ	1000000000ull

static struct pic pic;
static struct pit pit;
static struct uart uart;
static struct rtc rtc;
static struct apic apic;
static uint64_t now, sent;

/* ---- 8259 --------------------------------------------------------------- */

static uint8_t requests(const struct pic_chip *c)
{
	uint8_t level = c->level ? 0xff : c->elcr;

	return (c->irr & ~level) | (c->lines & level);
}

static void check_pic(void)
{
	const struct pic_chip *m = &pic.chip[0], *s = &pic.chip[1];
	uint8_t unmasked = requests(m) & ~m->imr & ~(1u << PIC_CASCADE);
	bool slave = !(m->imr & 1u << PIC_CASCADE) && (requests(s) & ~s->imr);

	if (pic_pending(&pic))
		CHECK(unmasked || slave);
	CHECK(!(m->elcr & ~0xf8u) && !(s->elcr & ~0xdeu));
	CHECK(m->lowest < 8 && s->lowest < 8);
	CHECK(!(m->lines & 1u << PIC_CASCADE));
}

/* The processor takes what is pending, or is given a spurious vector. */
static void take_pic(void)
{
	struct pic before = pic;
	bool pending = pic_pending(&pic);
	int vector = pic_ack(&pic), i = vector & 7;
	bool slave = pending && (before.chip[0].base & 0xf8) != (vector & 0xf8);
	const struct pic_chip *was = &before.chip[slave], *is = &pic.chip[slave];

	CHECK(vector >= 0 && vector < 256);
	if (!pending) {
		CHECK_EQ(vector, pic.chip[0].base + 7);
		CHECK(!memcmp(&before, &pic, sizeof(pic)));
		return;
	}
	/* Both chips can have the same base: then either may have been it. */
	if (before.chip[0].base == before.chip[1].base)
		return;
	CHECK(!(was->imr & 1u << i) && (requests(was) & 1u << i));
	CHECK(was->aeoi || (is->isr & 1u << i));
}

static void step_pic(struct input *in)
{
	static const uint16_t port[] = { 0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1 };
	uint8_t what = input_u8(in), val = input_u8(in);
	struct pic before;

	switch (what >> 6) {
	case 0:
		pic_out(&pic, port[what % 6], val);
		break;
	case 1:
		before = pic;
		pic_in(&pic, port[what % 6]);
		if (!before.chip[0].poll && !before.chip[1].poll)
			CHECK(!memcmp(&before, &pic, sizeof(pic)));
		break;
	case 2:
		pic_set_irq(&pic, what & 31, val & 1);
		break;
	default:
		take_pic();
	}
	check_pic();
}

/* ---- 8254 --------------------------------------------------------------- */

/* The next edge is where it is said to be: it comes then and not before. */
static void check_pit(void)
{
	uint64_t next = pit_next(&pit, now);
	struct pit copy;

	CHECK(next >= now);
	if (next == PIT_NEVER) {
		copy = pit;
		CHECK(!pit_tick(&copy, now + TSC_HZ));
		return;
	}
	if (next > now) {
		copy = pit;
		CHECK(!pit_tick(&copy, next - 1));
	}
	copy = pit;
	CHECK(pit_tick(&copy, next));
	CHECK(!pit_tick(&copy, next));
	CHECK(pit_next(&copy, next) > next);
}

static void step_pit(struct input *in)
{
	static const uint16_t port[] = { 0x40, 0x41, 0x42, 0x43, 0x61 };
	uint8_t what = input_u8(in), val = input_u8(in);
	struct pit copy;

	switch (what >> 6) {
	case 0:
		pit_out(&pit, port[what % 5], val, now);
		break;
	case 1:
		pit_in(&pit, port[what % 5], now);
		break;
	case 2:		/* up to 18 minutes */
		now += (uint64_t)val << (what & 31);
		break;
	default:
		copy = pit;
		if (pit_tick(&pit, now))
			CHECK_EQ(pit_next(&copy, now), now);
	}
	check_pit();
}

/* ---- 16550 -------------------------------------------------------------- */

static void transmitted(void *opaque, uint8_t byte)
{
	(void)byte;
	CHECK(opaque == &uart);
	sent++;
}

/* A driver that does what IIR tells it comes to an end. */
static void check_uart(void)
{
	struct uart copy = uart;
	int i;

	CHECK(uart.rx_count <= UART_FIFO_SIZE && uart.rx_head < UART_FIFO_SIZE);
	if (!(uart.fcr & 1))
		CHECK(uart.rx_count <= 1);
	copy.lcr = 0;
	for (i = 0; uart_irq(&copy); i++) {
		CHECK(i < UART_FIFO_SIZE + 3);
		switch (uart_in(&copy, 2) & 15) {
		case 6:
			uart_in(&copy, 5);
			break;
		case 4: case 12:
			CHECK(uart_in(&copy, 5) & 1);
			uart_in(&copy, 0);
			break;
		case 2:
			break;
		case 0:
			uart_in(&copy, 6);
			break;
		default:
			CHECK(!"an interrupt and no cause");
		}
	}
}

static void step_uart(struct input *in)
{
	uint8_t what = input_u8(in), val = input_u8(in), before;

	switch (what >> 6) {
	case 0:
	case 1:
		uart_out(&uart, what % 9, val);
		break;
	case 2:
		uart_in(&uart, what % 9);
		break;
	default:
		before = uart.rx_count;
		if (uart_can_receive(&uart)) {
			uart_receive(&uart, val);
			CHECK_EQ(uart.rx_count, before + 1);
		} else {
			uart_receive(&uart, val);
			CHECK_EQ(uart.rx_count, before);
		}
	}
	check_uart();
}

/* ---- clock -------------------------------------------------------------- */

static void step_rtc(struct input *in)
{
	static const uint8_t last[10] = {
		[0] = 59, [2] = 59, [4] = 23, [6] = 7, [7] = 31, [8] = 12,
		[9] = 99
	};
	uint8_t what = input_u8(in), val = input_u8(in), got, n;

	if (what & 1) {
		rtc_out(&rtc, RTC_INDEX + (what >> 1) % 3, val);
		CHECK(rtc.index < 128);
		return;
	}
	got = rtc_in(&rtc, RTC_INDEX + (what >> 1) % 3, input_u64(in));
	if ((what >> 1) % 3 != 1) {
		CHECK_EQ(got, 0xff);
	} else if (rtc.index < 10 && (last[rtc.index] || !rtc.index)) {
		n = (got >> 4) * 10 + (got & 15);
		CHECK((got & 15) < 10 && n <= last[rtc.index]);
	} else if (rtc.index == 0x32) {
		CHECK(got >= 0x19 && got <= 0x99);
	} else if (rtc.index == 0x0a) {
		CHECK(!(got & 0x80));
	}
}

/* ---- local APIC --------------------------------------------------------- */

static int highest(const struct apic *a, uint32_t map)
{
	const uint32_t *bits = &APIC_REG(a, map);
	int i;

	for (i = 255; i >= 0; i--)
		if (bits[i >> 5] & 1u << (i & 31))
			return i;
	return -1;
}

static void check_apic(void)
{
	int irr = highest(&apic, APIC_IRR), isr = highest(&apic, APIC_ISR), ppr;
	uint32_t tpr = APIC_REG(&apic, APIC_TPR), offset;

	CHECK(!(APIC_REG(&apic, APIC_IRR) & 0xffff) &&
	      !(APIC_REG(&apic, APIC_ISR) & 0xffff));
	ppr = isr >= 0 && (isr & 0xf0) > (int)(tpr & 0xf0) ?
		isr & 0xf0 : (int)(tpr & 0xff);
	if (apic.enabled)
		CHECK_EQ(apic_read(&apic, APIC_PPR), ppr);
	CHECK_EQ(apic_pending(&apic),
		 apic.enabled && irr >= 0 && (irr & 0xf0) > (ppr & 0xf0));
	if (!apic.enabled)
		CHECK(irr < 0 && isr < 0);
	if (!(APIC_REG(&apic, APIC_SVR) & 0x100))
		for (offset = APIC_LVTT; offset <= APIC_LVT_ERROR; offset += 16)
			CHECK(APIC_REG(&apic, offset) & 0x10000);
}

static void step_apic(struct input *in)
{
	uint8_t what = input_u8(in);
	uint32_t offset = input_u8(in) << 4 & 0x3f0;
	struct apic before = apic;
	int vector;

	switch (what & 7) {
	case 0:
	case 1:
	case 2:
		apic_write(&apic, offset, input_u32(in));
		break;
	case 3:		/* a register between them, or beyond the page */
		apic_write(&apic, input_u32(in), what);
		break;
	case 4:
		apic_read(&apic, what & 8 ? input_u32(in) : offset);
		CHECK(!memcmp(&before, &apic, sizeof(apic)));
		break;
	case 5:
		apic_enable(&apic, what & 8);
		break;
	case 6:
		if (what & 8)
			apic_alarm(&apic);
		else
			apic_alarm_cancel(&apic);
		break;
	case 7:
		apic_extint(&apic);
		if (!apic_pending(&apic))
			break;
		vector = apic_ack(&apic);
		CHECK_EQ(vector, highest(&before, APIC_IRR));
		CHECK_EQ(vector, highest(&apic, APIC_ISR));
		break;
	}
	check_apic();
}

void fuzz_one(struct input *in)
{
	static void (*const step[])(struct input *) = {
		step_pic, step_pit, step_uart, step_rtc, step_apic
	};
	uint8_t what = input_u8(in);

	now = input_u64(in) >> 2;
	pic_init(&pic);
	pit_init(&pit, what & 0x80 ? input_u64(in) : TSC_HZ);
	uart_init(&uart, transmitted, &uart);
	rtc_init(&rtc, (uint64_t)what << 23);
	apic_init(&apic);
	/* One device in a run: they do not know of each other. */
	while (in->left)
		step[(what & 0x7f) % 5](in);
}
