// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages of a 32-bit guest, mapped by a 64-bit one that may introspect (mode=maps), as in
 * tests/guest/loans.c, where the other one is. N-8.
 */
#include "cmdline.h"
#include "guest64.h"
#include "vmi_hypercall.h"

#define MAPPED_AT	0x700000u
#define OTHER_GUEST	1u
#define MARK		0x600df00du

static volatile uint32_t own[2][1024] __attribute__((aligned(4096)));
static uint32_t token[VMI_TOKEN_BYTES / 4];

static int64_t call(uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2)
{
	return (int64_t)vmi4(Hypercall, nr, a0, a1, a2);
}

static int64_t map_page(uint64_t theirs, uint32_t n)
{
	return call(VMI_HC_PageMap, pa(token), theirs, pa((void *)own[n]));
}

static int64_t unmap_page(uint32_t n)
{
	return call(VMI_HC_PageUnmap, pa((void *)own[n]), 0, 0);
}

static void get_token(void)
{
	same64(call(VMI_HC_Token, OTHER_GUEST, pa(token), 0), 0, "a token");
}

static void until(volatile uint32_t *word, uint32_t value)
{
	while (*word != value)
		__asm__ volatile("pause");
}

static bool is_zero(uint32_t n)
{
	uint32_t i;

	for (i = 0; i < 1024 && !own[n][i]; i++)
		;
	return i == 1024;
}

void test_loans(void)
{
	if (!option_is("mode", "maps"))
		return;
	own[0][0] = 1;
	same64(map_page(MAPPED_AT, 0), -VMI_EINVAL, "no page by what is no token");
	get_token();
	same64(map_page(MAPPED_AT + 8, 0), -VMI_EINVAL, "nor of no page");
	same64(map_page(1ull << 52, 0), -VMI_EFAULT, "nor of no memory");
	same64(map_page(1ull << 32 | MAPPED_AT, 0), -VMI_EFAULT,
	       "all of the address counts");
	same64(own[0][0], 1, "nothing has changed");
	same64(map_page(MAPPED_AT, 0), 0, "the page is mapped");
	until(&own[0][0], MARK);
	same64(own[0][1], 0x1111, "what the other has written is there");
	own[0][2] = 0x2222;
	own[0][0] = MARK + 1;
	until(&own[0][0], MARK + 2);
	same64(own[0][3], 0x2222, "what we write is there, too");
	get_token();
	same64(map_page(MAPPED_AT + PAGE, 1), 0, "another page");
	own[1][0] = 0x3333;
	same64(unmap_page(1), 0, "which is given back");
	ok(is_zero(1), "ours are zeros");
	same64(unmap_page(1), -VMI_EINVAL, "that once");
	same64(map_page(MAPPED_AT, 1), -VMI_EINVAL, "the token was good once");
	own[0][0] = MARK + 3;
	until(&own[0][0], 0);
	ok(is_zero(0), "when the other ends we have zeros");
	same64(unmap_page(0), -VMI_EINVAL, "of our own");
}
