// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest that may introspect (mode=maps, rights=introspect) and one whose pages it maps,
 * guest 1 (mode=mapped): what both then have. By a word of the first page that is mapped
 * they tell each other how far they are. N-8.
 */
#include "cmdline.h"
#include "smp.h"
#include "suite.h"
#include "vmi_hypercall.h"

#define MAPPED_AT	0x700000u	/* where the other one has its pages */
#define OTHER		1u
#define MARK		0x600df00du

static volatile uint32_t own[2][1024] __attribute__((aligned(PAGE)));
static uint32_t token[VMI_TOKEN_BYTES / 4], used[VMI_TOKEN_BYTES / 4];

static int32_t call(uint32_t nr, uint32_t a0, uint32_t a1, uint32_t a2)
{
	return ask_hypervisor(nr, a0, a1, a2, 0);
}

static int32_t map_page(uint32_t theirs, volatile uint32_t *at)
{
	return call(VMI_HC_PageMap, (uintptr_t)token, theirs, (uintptr_t)at);
}

static int32_t unmap_page(volatile uint32_t *at)
{
	return call(VMI_HC_PageUnmap, (uintptr_t)at, 0, 0);
}

static int32_t get_token(void)
{
	return call(VMI_HC_Token, OTHER, (uintptr_t)token, 0);
}

/* Until the other one is so far. */
static void until(volatile uint32_t *word, uint32_t value)
{
	while (*word != value)
		relax();
}

static void errors(void)
{
	same(call(VMI_HC_Token, 0, (uintptr_t)token, 0), -VMI_EINVAL,
	     "no token for itself");
	same(call(VMI_HC_Token, 2, (uintptr_t)token, 0), -VMI_EINVAL,
	     "nor for nobody");
	same(call(VMI_HC_Token, OTHER, 0xf0000000, 0), -VMI_EFAULT,
	     "nor to nowhere");
	same(map_page(MAPPED_AT, own[0]), -VMI_EINVAL, "no page by what is no token");
	same(unmap_page(own[0]), -VMI_EINVAL, "nothing is mapped");
	same(get_token(), 0, "a token");
	same(map_page(MAPPED_AT + 4, own[0]), -VMI_EINVAL, "for no page");
	same(map_page(MAPPED_AT, own[0] + 1), -VMI_EINVAL, "in place of none");
	same(map_page(0xf0000000, own[0]), -VMI_EFAULT, "for no memory");
	same(call(VMI_HC_PageMap, (uintptr_t)token, MAPPED_AT, 0xf0000000),
	     -VMI_EFAULT, "in place of none");
	same(call(VMI_HC_PageMap, 0xf0000000, MAPPED_AT, (uintptr_t)own[0]),
	     -VMI_EFAULT, "a token that is nowhere");
	same(own[0][0], 1, "nothing has changed");
}

static void maps(void)
{
	uint32_t i, exits;

	own[0][0] = own[1][0] = 1;
	errors();
	same(map_page(MAPPED_AT, own[0]), 0, "the page is mapped");
	for (i = 0; i < VMI_TOKEN_BYTES / 4; i++)
		used[i] = token[i];
	until(&own[0][0], MARK);
	same(own[0][1], 0x1111, "what the other has written is there");
	same(map_page(MAPPED_AT + PAGE, own[1]), -VMI_EINVAL,
	     "the token was good once");
	get_token();
	same(map_page(MAPPED_AT + PAGE, own[0]), -VMI_EBUSY,
	     "in place of one that is another's");
	own[0][2] = 0x2222;
	own[0][0] = MARK + 1;
	until(&own[0][0], MARK + 2);
	same(own[0][3], 0x2222, "what we write is there, too");
	same(map_page(MAPPED_AT + PAGE, own[1]), 0, "another page");
	own[1][0] = 0x3333;
	same(unmap_page(own[1]), 0, "which is given back");
	for (i = 0; i < 1024 && !own[1][i]; i++)
		;
	same(i, 1024, "ours are zeros");
	same(unmap_page(own[1]), -VMI_EINVAL, "that once");
	for (i = 0; i < VMI_TOKEN_BYTES / 4; i++)
		token[i] = used[i];
	same(map_page(MAPPED_AT, own[1]), -VMI_EINVAL, "nor is the first token");
	own[1][0] = 0x4444;
	get_token();
	exits = (uint32_t)EXITS(1, map_page(MAPPED_AT + PAGE, own[1]);
				unmap_page(own[1]));
	same(exits, 2, "two exits for both");
	/* It ends. */
	own[0][0] = MARK + 3;
	until(&own[0][0], 0);
	for (i = 0; i < 1024 && !own[0][i]; i++)
		;
	same(i, 1024, "when the other ends we have zeros");
	same(unmap_page(own[0]), -VMI_EINVAL, "of our own");
	get_token();
	same(map_page(MAPPED_AT, own[0]), -VMI_EINVAL, "and there are none of its");
}

static void mapped(void)
{
	volatile uint32_t *at = (volatile uint32_t *)MAPPED_AT;

	at[1024] = 0;
	at[1] = 0x1111;
	at[0] = MARK;
	until(&at[0], MARK + 1);
	at[3] = at[2];
	at[0] = MARK + 2;
	until(&at[1024], 0x3333);
	until(&at[0], MARK + 3);
	for (uint32_t i = 0; i < 10; i++)
		ok(true, "a neighbour wrote to it");
}

void test_loans(void)
{
	if (option_is("mode", "maps"))
		maps();
	if (option_is("mode", "mapped"))
		mapped();
}
