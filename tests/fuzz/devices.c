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
#define APICS	2
static struct apic apics[APICS];
static struct apic *const all[APICS] = { &apics[0], &apics[1] };
static struct ioapic ioapic;
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

/* ---- APICs -------------------------------------------------------------- */

static int highest(const uint32_t bits[8])
{
	int i;

	for (i = 255; i >= 0; i--)
		if (bits[i >> 5] & 1u << (i & 31))
			return i;
	return -1;
}

/* The timer's next interrupt is where it is said to be. */
static void check_timer(const struct apic *a)
{
	uint64_t next = apic_timer_next(a);
	struct apic copy = *a;

	CHECK(apic_read(a, APIC_TMCCT, now) <= a->tmict || !a->enabled);
	if (next == APIC_NEVER) {
		apic_timer_tick(&copy, now + TSC_HZ);
		CHECK(!memcmp(copy.irr, a->irr, sizeof(a->irr)));
		return;
	}
	CHECK(next > a->since && a->left);
	apic_timer_tick(&copy, next - 1);
	CHECK(!memcmp(&copy, a, sizeof(copy)));
	apic_timer_tick(&copy, next);
	CHECK(copy.left != a->left || copy.since != a->since);
	CHECK(apic_timer_next(&copy) - next >= TSC_HZ / APIC_HZ_MAX);
}

static void check_apic(const struct apic *a)
{
	int irr = highest(a->irr), isr = highest(a->isr), ppr, i;

	CHECK(!(a->irr[0] & 0xffff) && !(a->isr[0] & 0xffff));
	CHECK(!(a->tmr[0] & 0xffff));
	ppr = isr >= 0 && (isr & 0xf0) > (int)(a->tpr & 0xf0) ?
		isr & 0xf0 : (int)(a->tpr & 0xff);
	if (a->enabled)
		CHECK_EQ(apic_read(a, APIC_PPR, now), ppr);
	CHECK_EQ(apic_pending(a),
		 a->enabled && irr >= 0 && (irr & 0xf0) > (ppr & 0xf0));
	if (!a->enabled)
		CHECK(irr < 0 && isr < 0 && !a->left);
	if (!(a->svr & 0x100))
		for (i = 0; i < APIC_LVTS; i++)
			CHECK(a->lvt[i] & 0x10000);
	check_timer(a);
}

/* As the owner of them all does it. */
static void route(const struct apic *sender, const struct apic_message *m)
{
	int i, one = -1;

	CHECK(m->mode == APIC_FIXED || m->mode == APIC_LOWEST ||
	      m->mode == APIC_INIT || m->mode == APIC_STARTUP);
	if (m->mode == APIC_LOWEST) {
		one = apic_arbitrate(all, APICS, sender, m);
		CHECK(one >= -1 && one < APICS);
		CHECK(one < 0 || apic_accepts(all[one], sender, m));
	}
	for (i = 0; i < APICS; i++) {
		if (!apic_accepts(all[i], sender, m))
			continue;
		if (m->mode == APIC_INIT && !m->deassert)
			apic_reset(all[i]);
		else if (m->mode == APIC_FIXED || i == one)
			apic_deliver(all[i], m);
		CHECK(m->mode != APIC_LOWEST || one >= 0);
	}
}

static void send_ioapic(void)
{
	struct apic_message m;
	int n;

	for (n = 0; ioapic_message(&ioapic, &m); n++) {
		CHECK(n < IOAPIC_PINS);
		CHECK(!m.shorthand && !m.deassert);
		route(NULL, &m);
	}
	CHECK(!ioapic.pending);
}

static void written(struct apic *a, enum apic_effect effect,
		    const struct apic_message *m)
{
	if (effect == APIC_SENT) {
		route(a, m);
	} else if (effect == APIC_EOI_SENT) {
		ioapic_eoi(&ioapic, m->vector);
		send_ioapic();
	}
}

static void step_ioapic(struct input *in, uint8_t what)
{
	uint8_t reg = input_u8(in);

	if (what & 16)
		ioapic_set_irq(&ioapic, reg & 31, reg & 32);
	else if (what & 32)
		ioapic_write(&ioapic, reg, input_u32(in));
	else
		ioapic_write(&ioapic, IOAPIC_SELECT, reg);
	send_ioapic();
	ioapic_write(&ioapic, IOAPIC_DATA, what & 64 ? input_u32(in) :
		     ioapic_read(&ioapic, IOAPIC_DATA));
	send_ioapic();
}

static void step_apic(struct input *in)
{
	uint8_t what = input_u8(in);
	struct apic *a = all[what >> 4 & 1];
	uint32_t offset = input_u8(in) << 4 & 0x3f0;
	struct apic before = *a;
	struct apic_message m;
	int vector, i;

	switch (what & 7) {
	case 0:
	case 1:
		written(a, apic_write(a, offset, input_u32(in), now, &m), &m);
		break;
	case 2:
		if (what & 8)
			step_ioapic(in, what);
		else
			now += (uint64_t)input_u16(in) << (what >> 3 & 15);
		apic_timer_tick(a, now);
		break;
	case 3:		/* a register between them, or beyond the page */
		written(a, apic_write(a, input_u32(in), what, now, &m), &m);
		break;
	case 4:
		apic_read(a, what & 8 ? input_u32(in) : offset, now);
		CHECK(!memcmp(&before, a, sizeof(*a)));
		break;
	case 5:
		apic_enable(a, what & 8);
		break;
	case 6:
		if (what & 8)
			apic_alarm(a);
		else
			apic_alarm_cancel(a);
		break;
	case 7:
		apic_extint(a);
		if (!apic_pending(a))
			break;
		vector = apic_ack(a);
		CHECK_EQ(vector, highest(before.irr));
		CHECK_EQ(vector, highest(a->isr));
		break;
	}
	for (i = 0; i < APICS; i++)
		check_apic(all[i]);
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
	apic_init(&apics[0], 0, TSC_HZ);
	apic_init(&apics[1], 1, TSC_HZ);
	ioapic_init(&ioapic, APICS);
	/* One device in a run, or the APICs: others do not know each other. */
	while (in->left)
		step[(what & 0x7f) % 5](in);
}
