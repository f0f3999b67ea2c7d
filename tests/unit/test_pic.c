// SPDX-License-Identifier: GPL-2.0-only
/* The two 8259s: hypervisor-stub/devices/pic.c against the 8259A data sheet. */
#include "unit.h"
#include "devices.h"

/* As Linux sets it up: vectors 30h and 38h, nothing masked. */
static struct pic ready(uint8_t icw4)
{
	struct pic p;

	pic_init(&p);
	pic_out(&p, 0x20, 0x11);
	pic_out(&p, 0x21, 0x30);
	pic_out(&p, 0x21, 0x04);
	pic_out(&p, 0x21, icw4);
	pic_out(&p, 0xa0, 0x11);
	pic_out(&p, 0xa1, 0x38);
	pic_out(&p, 0xa1, 0x02);
	pic_out(&p, 0xa1, 0x01);
	pic_out(&p, 0x21, 0);
	pic_out(&p, 0xa1, 0);
	return p;
}

static void pulse(struct pic *p, unsigned int irq)
{
	pic_set_irq(p, irq, true);
	pic_set_irq(p, irq, false);
}

static uint8_t isr(struct pic *p, unsigned int port)
{
	pic_out(p, port, 0x0b);
	return pic_in(p, port);
}

static uint8_t irr(struct pic *p, unsigned int port)
{
	pic_out(p, port, 0x0a);
	return pic_in(p, port);
}

static void test_reset_masks_everything(void **state)
{
	struct pic p;
	unsigned int i;

	(void)state;
	pic_init(&p);
	assert_int_equal(pic_in(&p, 0x21), 0xff);
	assert_int_equal(pic_in(&p, 0xa1), 0xff);
	for (i = 0; i < 16; i++)
		pic_set_irq(&p, i, true);
	assert_false(pic_pending(&p));
	assert_int_equal(pic_in(&p, 0x60), 0xff);
	assert_int_equal(pic_ack(&p), 0x0f);
	pic_out(&p, 0x21, 0xfb);
	pic_out(&p, 0xa1, 0x7f);
	assert_int_equal(pic_ack(&p), 0x77);
}

static void test_vectors(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < 16; i++) {
		struct pic p = ready(1);

		pulse(&p, i);
		if (i == 2) {	/* no device is wired there */
			assert_false(pic_pending(&p));
			continue;
		}
		assert_true(pic_pending(&p));
		assert_int_equal(pic_ack(&p), 0x30 + i);
		assert_false(pic_pending(&p));
		assert_int_equal(isr(&p, 0x20), i < 8 ? 1 << i : 4);
		assert_int_equal(isr(&p, 0xa0), i < 8 ? 0 : 1 << (i - 8));
	}
}

static void test_icw2_low_bits_ignored(void **state)
{
	struct pic p = ready(1);

	(void)state;
	pic_out(&p, 0x20, 0x11);
	pic_out(&p, 0x21, 0x47);
	pic_out(&p, 0x21, 4);
	pic_out(&p, 0x21, 1);
	pulse(&p, 1);
	assert_int_equal(pic_ack(&p), 0x41);
}

static void test_init_sequence(void **state)
{
	struct pic p = ready(1);

	(void)state;
	pic_out(&p, 0x21, 0x55);
	pulse(&p, 1);
	assert_int_equal(pic_ack(&p), 0x31);
	pulse(&p, 3);
	pic_out(&p, 0x20, 0x0b);
	/* ICW1 clears IMR, ISR and edges, and selects IRR for reading. */
	pic_out(&p, 0x20, 0x11);
	assert_int_equal(pic_in(&p, 0x20), 0);
	pulse(&p, 4);
	assert_false(pic_pending(&p));	/* not before ICW4 */
	pic_out(&p, 0x21, 0x50);
	pic_out(&p, 0x21, 0x04);
	assert_false(pic_pending(&p));
	pic_out(&p, 0x21, 0x01);
	assert_int_equal(pic_in(&p, 0x21), 0);
	assert_int_equal(pic_ack(&p), 0x54);
	/* Without ICW4: two words; single: ICW2 alone. */
	pic_out(&p, 0x20, 0x10);
	pic_out(&p, 0x21, 0x60);
	pic_out(&p, 0x21, 0x04);
	pic_out(&p, 0x21, 0xfe);
	assert_int_equal(pic_in(&p, 0x21), 0xfe);
	pic_out(&p, 0x20, 0x12);
	pic_out(&p, 0x21, 0x60);
	pic_out(&p, 0x21, 0xfd);
	assert_int_equal(pic_in(&p, 0x21), 0xfd);
	/* A single master does not see the slave. */
	pic_out(&p, 0x21, 0);
	pulse(&p, 9);
	assert_false(pic_pending(&p));
}

static void test_icw1_drops_aeoi(void **state)
{
	struct pic p = ready(3);

	(void)state;
	pulse(&p, 1);
	pic_ack(&p);
	assert_int_equal(isr(&p, 0x20), 0);
	pic_out(&p, 0x20, 0x10);
	pic_out(&p, 0x21, 0x30);
	pic_out(&p, 0x21, 0x04);
	pulse(&p, 1);
	pic_ack(&p);
	assert_int_equal(isr(&p, 0x20), 2);
}

static void test_priority_and_nesting(void **state)
{
	struct pic p = ready(1);

	(void)state;
	pulse(&p, 5);
	pulse(&p, 1);
	assert_int_equal(pic_ack(&p), 0x31);
	assert_false(pic_pending(&p));		/* 5 is lower */
	pulse(&p, 1);
	assert_false(pic_pending(&p));		/* 1 is in service */
	pulse(&p, 0);
	assert_int_equal(pic_ack(&p), 0x30);	/* 0 is higher */
	pic_out(&p, 0x20, 0x20);		/* ends 0, the highest */
	assert_int_equal(isr(&p, 0x20), 2);
	assert_false(pic_pending(&p));
	pic_out(&p, 0x20, 0x20);
	assert_int_equal(pic_ack(&p), 0x31);
	pic_out(&p, 0x20, 0x61);		/* specific */
	assert_int_equal(pic_ack(&p), 0x35);
	pic_out(&p, 0x20, 0x64);		/* specific, not in service */
	assert_int_equal(isr(&p, 0x20), 0x20);
}

static void test_slave_priority(void **state)
{
	struct pic p = ready(1);

	(void)state;
	pulse(&p, 3);
	pulse(&p, 15);
	pulse(&p, 8);
	assert_int_equal(irr(&p, 0x20), 0x0c);	/* the slave shows in bit 2 */
	assert_int_equal(irr(&p, 0xa0), 0x81);
	assert_int_equal(pic_ack(&p), 0x38);
	assert_false(pic_pending(&p));
	pic_out(&p, 0xa0, 0x20);
	assert_false(pic_pending(&p));		/* the master serves 2 still */
	pic_out(&p, 0x20, 0x20);
	assert_int_equal(pic_ack(&p), 0x3f);
	pic_out(&p, 0xa0, 0x20);
	pic_out(&p, 0x20, 0x20);
	assert_int_equal(pic_ack(&p), 0x33);
}

static void test_special_fully_nested(void **state)
{
	struct pic p = ready(0x11);

	(void)state;
	pulse(&p, 12);
	assert_int_equal(pic_ack(&p), 0x3c);
	pulse(&p, 3);
	assert_false(pic_pending(&p));		/* lower than the slave */
	pulse(&p, 13);
	assert_false(pic_pending(&p));		/* lower within the slave */
	pulse(&p, 9);
	assert_int_equal(pic_ack(&p), 0x39);	/* higher within it */
}

static void test_mask(void **state)
{
	struct pic p = ready(1);

	(void)state;
	pic_out(&p, 0x21, 0x02);
	pulse(&p, 1);
	assert_false(pic_pending(&p));
	assert_int_equal(irr(&p, 0x20), 2);
	pic_out(&p, 0x21, 0);
	assert_true(pic_pending(&p));
	/* Masking the cascade masks the slave. */
	assert_int_equal(pic_ack(&p), 0x31);
	pic_out(&p, 0x20, 0x20);
	pic_out(&p, 0x21, 0x04);
	pulse(&p, 8);
	assert_false(pic_pending(&p));
}

static void test_spurious(void **state)
{
	struct pic p = ready(1);

	(void)state;
	pulse(&p, 1);
	assert_true(pic_pending(&p));
	pic_out(&p, 0x21, 0xff);
	assert_int_equal(pic_ack(&p), 0x37);
	assert_int_equal(isr(&p, 0x20), 0);
	/* A real 7 does set the ISR bit: this is how a driver can tell. */
	pic_out(&p, 0x21, 0);
	assert_int_equal(pic_ack(&p), 0x31);
	pic_out(&p, 0x20, 0x20);
	pulse(&p, 7);
	assert_int_equal(pic_ack(&p), 0x37);
	assert_int_equal(isr(&p, 0x20), 0x80);
}

static void test_level_inputs(void **state)
{
	struct pic p = ready(1);

	(void)state;
	pic_out(&p, 0x4d0, 0xff);
	pic_out(&p, 0x4d1, 0xff);
	assert_int_equal(pic_in(&p, 0x4d0), 0xf8);
	assert_int_equal(pic_in(&p, 0x4d1), 0xde);
	pic_set_irq(&p, 10, true);
	assert_int_equal(pic_ack(&p), 0x3a);
	pic_out(&p, 0xa0, 0x20);
	pic_out(&p, 0x20, 0x20);
	assert_int_equal(pic_ack(&p), 0x3a);	/* still high */
	pic_set_irq(&p, 10, false);
	pic_out(&p, 0xa0, 0x20);
	pic_out(&p, 0x20, 0x20);
	assert_false(pic_pending(&p));
	pic_set_irq(&p, 10, true);		/* gone before the ack */
	pic_set_irq(&p, 10, false);
	assert_false(pic_pending(&p));
}

static void test_edge_once(void **state)
{
	struct pic p = ready(1);

	(void)state;
	pic_set_irq(&p, 4, true);
	pic_set_irq(&p, 4, true);
	assert_int_equal(pic_ack(&p), 0x34);
	pic_out(&p, 0x20, 0x20);
	pic_set_irq(&p, 4, true);
	assert_false(pic_pending(&p));		/* high is not an edge */
	pic_set_irq(&p, 4, false);
	pic_set_irq(&p, 4, true);
	assert_true(pic_pending(&p));
}

static void test_aeoi(void **state)
{
	struct pic p = ready(3);

	(void)state;
	pulse(&p, 0);
	pulse(&p, 1);
	assert_int_equal(pic_ack(&p), 0x30);
	assert_int_equal(isr(&p, 0x20), 0);
	assert_int_equal(pic_ack(&p), 0x31);
	/* Rotating: what was served becomes the lowest. */
	pic_out(&p, 0x20, 0x80);
	pulse(&p, 0);
	assert_int_equal(pic_ack(&p), 0x30);
	pulse(&p, 0);
	pulse(&p, 7);
	assert_int_equal(pic_ack(&p), 0x37);
	pic_out(&p, 0x20, 0x00);
	pulse(&p, 0);
	assert_int_equal(pic_ack(&p), 0x30);
	assert_int_equal(p.chip[0].lowest, 7);
}

static void test_rotation(void **state)
{
	struct pic p = ready(1);

	(void)state;
	pic_out(&p, 0x20, 0xc3);		/* 3 lowest, 4 highest */
	pulse(&p, 0);
	pulse(&p, 3);
	pulse(&p, 4);
	assert_int_equal(pic_ack(&p), 0x34);
	pic_out(&p, 0x20, 0xa0);		/* rotate on EOI: 4 lowest */
	assert_int_equal(p.chip[0].lowest, 4);
	assert_int_equal(isr(&p, 0x20), 0);
	assert_int_equal(pic_ack(&p), 0x30);
	pic_out(&p, 0x20, 0xe0);		/* rotate on specific EOI */
	assert_int_equal(p.chip[0].lowest, 0);
	assert_int_equal(pic_ack(&p), 0x33);
}

static void test_special_mask(void **state)
{
	struct pic p = ready(1);

	(void)state;
	pulse(&p, 1);
	assert_int_equal(pic_ack(&p), 0x31);
	pulse(&p, 6);
	assert_false(pic_pending(&p));
	pic_out(&p, 0x21, 0x02);
	pic_out(&p, 0x20, 0x68);
	assert_int_equal(pic_ack(&p), 0x36);
	pic_out(&p, 0x20, 0x20);		/* ends 6, not the masked 1 */
	assert_int_equal(isr(&p, 0x20), 0x02);
	pic_out(&p, 0x20, 0x48);		/* leave the mode */
	pulse(&p, 6);
	assert_false(pic_pending(&p));
}

static void test_poll(void **state)
{
	struct pic p = ready(1);

	(void)state;
	pic_out(&p, 0x20, 0x0c);
	assert_int_equal(pic_in(&p, 0x20) & 0x80, 0);
	pulse(&p, 5);
	pic_out(&p, 0x20, 0x0c);
	assert_int_equal(pic_in(&p, 0x21), 0x85);
	assert_int_equal(pic_in(&p, 0x21), 0);	/* one read only */
	assert_int_equal(isr(&p, 0x20), 0x20);
	assert_false(pic_pending(&p));
	pulse(&p, 11);
	pic_out(&p, 0xa0, 0x0c);
	assert_int_equal(pic_in(&p, 0xa0), 0x83);
	assert_int_equal(isr(&p, 0xa0), 0x08);
	assert_int_equal(isr(&p, 0x20), 0x20);
}

static void test_icw1_level_mode(void **state)
{
	struct pic p = ready(1);

	(void)state;
	pic_out(&p, 0x4d0, 0x20);
	pic_set_irq(&p, 4, true);
	pic_set_irq(&p, 5, true);
	assert_int_equal(pic_ack(&p), 0x34);
	/* Lines and ELCR stay; the edge of 4 is forgotten, 5 is a level. */
	pic_out(&p, 0x20, 0x11);
	pic_out(&p, 0x21, 0x30);
	pic_out(&p, 0x21, 0x04);
	pic_out(&p, 0x21, 0x01);
	assert_int_equal(pic_in(&p, 0x4d0), 0x20);
	assert_int_equal(irr(&p, 0x20), 0x20);
	pic_set_irq(&p, 4, true);
	assert_int_equal(irr(&p, 0x20), 0x20);
	/* ICW1 can make every input a level, 0 included. */
	pic_set_irq(&p, 0, true);
	pic_out(&p, 0x20, 0x19);
	pic_out(&p, 0x21, 0x30);
	pic_out(&p, 0x21, 0x04);
	pic_out(&p, 0x21, 0x01);
	assert_int_equal(irr(&p, 0x20), 0x31);
	pic_set_irq(&p, 0, false);
	assert_int_equal(irr(&p, 0x20), 0x30);
}

static void test_commands_that_change_nothing(void **state)
{
	struct pic p = ready(1);

	(void)state;
	pic_set_irq(&p, 18, true);		/* no such line */
	pic_set_irq(&p, 2, true);
	assert_int_equal(irr(&p, 0x20), 0);
	pic_set_irq(&p, 16, true);
	assert_int_equal(irr(&p, 0x20), 0);
	pic_out(&p, 0x20, 0x43);		/* OCW2 no-operation */
	pic_out(&p, 0x20, 0x63);		/* specific EOI, no rotation */
	assert_int_equal(p.chip[0].lowest, 7);
	pulse(&p, 7);
	assert_int_equal(pic_ack(&p), 0x37);
	pulse(&p, 1);
	pic_out(&p, 0x20, 0x28);		/* special mask without ESMM */
	assert_false(p.chip[0].special_mask);
	assert_int_equal(isr(&p, 0x20), 0x80);
	pic_out(&p, 0x20, 0x08);		/* read select without RR */
	assert_int_equal(pic_in(&p, 0x20), 0x80);
	assert_int_equal(pic_ack(&p), 0x31);
	pic_out(&p, 0x20, 0x20);
	pic_out(&p, 0x20, 0x20);		/* 7, the lowest, ends too */
	assert_int_equal(isr(&p, 0x20), 0);
	pic_out(&p, 0x20, 0x0c);
	assert_int_equal(pic_in(&p, 0x20), 0);	/* poll: nothing */
	pulse(&p, 0);
	pic_out(&p, 0x20, 0x0c);
	assert_int_equal(pic_in(&p, 0x20), 0x80);
	/* Special nesting on the slave means nothing: no chip below it. */
	pic_out(&p, 0x20, 0x20);
	p.chip[1].special_nested = true;
	pulse(&p, 10);
	assert_int_equal(pic_ack(&p), 0x3a);
	pic_out(&p, 0x20, 0x20);
	pulse(&p, 10);
	assert_false(pic_pending(&p));
}

/* Whatever a guest writes: vectors stay in the two ranges that it chose. */
static void test_hostile(void **state)
{
	static const uint16_t ports[] = {
		0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1, 0x22, 0xffff
	};
	uint64_t seed = 1;
	struct pic p;
	int i;

	(void)state;
	pic_init(&p);
	for (i = 0; i < 500000; i++) {
		uint64_t r = unit_random(&seed);
		uint16_t port = ports[(r >> 8) & 7];

		switch (r & 3) {
		case 0:
			pic_out(&p, port, r >> 16);
			break;
		case 1:
			pic_in(&p, port);
			break;
		case 2:
			pic_set_irq(&p, (r >> 16) & 31, r & 4);
			break;
		case 3: {
			bool pending = pic_pending(&p);
			uint8_t isr0 = p.chip[0].isr, isr1 = p.chip[1].isr;
			int v = pic_ack(&p);

			if (!pending) {
				assert_int_equal(v, p.chip[0].base + 7);
				assert_int_equal(p.chip[0].isr, isr0);
				assert_int_equal(p.chip[1].isr, isr1);
			}
			assert_in_range(v, 0, 255);
			assert_true((v & 0xf8) == p.chip[0].base ||
				    (v & 0xf8) == p.chip[1].base);
			break;
		}
		}
		assert_true(p.chip[0].lowest < 8 && p.chip[1].lowest < 8);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reset_masks_everything),
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_icw2_low_bits_ignored),
		cmocka_unit_test(test_init_sequence),
		cmocka_unit_test(test_icw1_drops_aeoi),
		cmocka_unit_test(test_priority_and_nesting),
		cmocka_unit_test(test_slave_priority),
		cmocka_unit_test(test_special_fully_nested),
		cmocka_unit_test(test_mask),
		cmocka_unit_test(test_spurious),
		cmocka_unit_test(test_level_inputs),
		cmocka_unit_test(test_edge_once),
		cmocka_unit_test(test_aeoi),
		cmocka_unit_test(test_rotation),
		cmocka_unit_test(test_special_mask),
		cmocka_unit_test(test_poll),
		cmocka_unit_test(test_icw1_level_mode),
		cmocka_unit_test(test_commands_that_change_nothing),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests_name("pic", tests, NULL, NULL);
}
