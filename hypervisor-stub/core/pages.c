// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages of other guests (spec/neighbours.md, N-8): a guest with the right to introspect
 * has one of another guest's pages in place of one of its own (mm/remap.c), which
 * waits meanwhile, and is what it gets back, with zeros. So nothing is allocated
 * or given back, each frame has one owner for all of its time, and what is mapped from
 * elsewhere is known by where it is in the mapper: struct loan.
 *
 * Whose lock guards what: a loan is of the mapper, and comes and goes with the mapper's
 * and the owner's. While it is there, so is the owner's memory: a guest that has ended
 * takes all of its pages back before it is released (pages_end()), and lends none. That
 * takes the mapper's lock alone; so does it to look for what the mapper's shadow has of
 * a page, which takes long.
 */
#include <lib.h>
#include <string.h>

#include "pages.h"

#define GFN(pa)		((pa) >> PAGE_SHIFT)
#define WORDS		(VMI_TOKEN_BYTES / 8)

/* Good for one mapping, as long as the guest lives that it is for. */
struct token {
	uint64_t	word[WORDS];
	uint64_t	life;		/* guest.life; 0: it was used */
	uint32_t	guest;
};

struct loan {
	uint32_t	gfn;		/* where the mapper has it */
	uint32_t	guest;		/* whose it is, */
	uint32_t	theirs;		/* and where that has it */
	uint64_t	own;		/* what was there before: mm_frame(). 0: it is
					 * there again, and the owner does not know yet */
};

/* Of a guest that may. */
struct pages {
	struct random	random;
	struct token	token[VMI_TOKENS];
	uint32_t	next;		/* to be given away */
	uint32_t	loans;
	struct loan	loan[VMI_PAGES_MAX];
};

bool pages_init(struct guest *g)
{
	if (!(g->config->rights & VMI_RIGHT_INTROSPECT))
		return true;
	g->pages = host_pages(sizeof(*g->pages), PAGE_SIZE);
	if (!g->pages)
		return false;
	random_init(&g->pages->random);
	return true;
}

void pages_free(struct guest *g)
{
	host_pages_free(g->pages, sizeof(*g->pages));
	g->pages = NULL;
}

/* ---- locks ---------------------------------------------------------------- */

static void lock_both(struct guest *a, struct guest *b)
{
	spin_lock(a->slot < b->slot ? &a->lock : &b->lock);
	spin_lock(a->slot < b->slot ? &b->lock : &a->lock);
}

static void unlock_both(struct guest *a, struct guest *b)
{
	spin_unlock(&a->lock);
	spin_unlock(&b->lock);
}

/* ---- tokens --------------------------------------------------------------- */

int64_t pages_token(struct vcpu *v, uint64_t guest, uint64_t pa)
{
	struct pages *p = v->g->pages;
	struct token t = {
		.life = guests[guest]->life,
		.guest = guest,
	};
	uint32_t i;

	for (i = 0; i < WORDS; i++)
		t.word[i] = random_word(&p->random);
	if (!gmem_write(&v->g->mm.gmem, pa, t.word, sizeof(t.word)))
		return -VMI_EFAULT;
	p->token[p->next++ % VMI_TOKENS] = t;
	return 0;
}

/* NULL: it is none, or none any more. */
static struct token *find_token(struct pages *p, const uint64_t word[WORDS])
{
	uint64_t wrong;
	uint32_t i, n;

	for (i = 0; i < VMI_TOKENS; i++) {
		wrong = !p->token[i].life;
		for (n = 0; n < WORDS; n++)
			wrong |= p->token[i].word[n] ^ word[n];
		if (!wrong)
			return &p->token[i];
	}
	return NULL;
}

/* ---- loans ---------------------------------------------------------------- */

static struct loan *find_loan(const struct guest *g, uint64_t gfn)
{
	struct pages *p = g->pages;
	uint32_t i;

	for (i = 0; p && i < p->loans; i++)
		if (p->loan[i].gfn == gfn && p->loan[i].own)
			return &p->loan[i];
	return NULL;
}

/* The mapper's part; its shadow has nothing of the page. */
static void give_back(struct guest *g, struct loan *l)
{
	mm_frame_zero(l->own);
	mm_replace(&g->mm, l->gfn, l->own);
	mm_unshare(&g->mm, l->gfn);
	l->own = 0;
}

static void forget(struct pages *p, struct loan *l)
{
	*l = p->loan[--p->loans];
}

/* The owner's part, with both locks. */
static void returned(struct guest *g, struct guest *of, struct loan *l)
{
	uint32_t theirs = l->theirs;

	forget(g->pages, l);
	mm_unshare(&of->mm, theirs);
}

/* With both locks. */
static int64_t check(struct guest *g, const struct guest *of,
		     const struct token *t, uint64_t theirs, uint64_t own)
{
	if (!t || t->life != of->life || of->ended || of->gone)
		return -VMI_EINVAL;
	if (!mm_frame(&of->mm, theirs) || !mm_frame(&g->mm, own))
		return -VMI_EFAULT;
	if (find_loan(of, theirs))
		return -VMI_EINVAL;
	if (find_loan(g, own))
		return -VMI_EBUSY;
	return g->pages->loans == VMI_PAGES_MAX ? -VMI_ENOMEM : 0;
}

static bool share_both(struct guest *g, uint64_t own, struct guest *of,
		       uint64_t theirs)
{
	if (!mm_share(&of->mm, theirs))
		return false;
	if (mm_share(&g->mm, own))
		return true;
	mm_unshare(&of->mm, theirs);
	return false;
}

/* With both locks; the owner's goes back. */
static int64_t borrow(struct guest *g, struct guest *of, struct token *t,
		      uint64_t theirs, uint64_t own)
{
	int64_t error = check(g, of, t, theirs, own);
	struct pages *p = g->pages;
	uint64_t frame = 0;

	if (!error && !share_both(g, own, of, theirs))
		error = -VMI_EBUSY;
	if (!error) {
		frame = mm_frame(&of->mm, theirs);
		t->life = 0;
		p->loan[p->loans++] = (struct loan){
			.gfn = own, .guest = of->slot, .theirs = theirs,
			.own = mm_frame(&g->mm, own),
		};
	}
	spin_unlock(&of->lock);
	if (error)
		return error;
	mm_drop_frame(&g->mm, mm_frame(&g->mm, own));
	mm_replace(&g->mm, own, frame);
	return 0;
}

/* Whose the token is can change until both locks are there: then it is looked at
 * again. */
int64_t pages_map(struct vcpu *v, uint64_t pa, uint64_t theirs, uint64_t own)
{
	struct guest *g = v->g, *of = NULL;
	struct pages *p = g->pages;
	uint64_t word[WORDS];
	struct token *t;
	int64_t result;

	if ((theirs | own) & (PAGE_SIZE - 1))
		return -VMI_EINVAL;
	if (!gmem_read_late(&g->mm.gmem, word, pa, sizeof(word)))
		return -VMI_EFAULT;
	spin_lock(&g->lock);
	t = find_token(p, word);
	if (t)
		of = guests[t->guest];
	spin_unlock(&g->lock);
	if (!of)
		return -VMI_EINVAL;
	lock_both(g, of);
	result = borrow(g, of, find_token(p, word), GFN(theirs), GFN(own));
	spin_unlock(&g->lock);
	return result;
}

/* The owner of one that was given back, without its lock, may have ended meanwhile. Two
 * vCPUs may come for each other's. */
static void tell_owner(struct guest *g, struct guest *of)
{
	struct pages *p = g->pages;
	uint32_t i;

	lock_both(g, of);
	for (i = 0; i < p->loans; i++) {
		if (p->loan[i].own || p->loan[i].guest != of->slot)
			continue;
		returned(g, of, &p->loan[i]);
		break;
	}
	unlock_both(g, of);
}

int64_t pages_unmap(struct vcpu *v, uint64_t own)
{
	struct guest *g = v->g, *of = NULL;
	struct loan *l;

	if (own & (PAGE_SIZE - 1))
		return -VMI_EINVAL;
	spin_lock(&g->lock);
	l = find_loan(g, GFN(own));
	if (l) {
		of = guests[l->guest];
		mm_drop_frame(&g->mm, mm_frame(&g->mm, l->gfn));
		give_back(g, l);
	}
	spin_unlock(&g->lock);
	if (!of)
		return -VMI_EINVAL;
	tell_owner(g, of);
	return 0;
}

/* ---- the end of a guest ------------------------------------------------------ */

/* All at once: to look for each would take too long. */
static void take_from(struct guest *mapper, const struct guest *owner)
{
	struct pages *p = mapper->pages;
	bool dropped = false;
	uint32_t i;

	for (i = p ? p->loans : 0; i--;) {
		if (p->loan[i].guest != owner->slot)
			continue;
		if (!dropped)
			mm_drop_frames(&mapper->mm);
		dropped = true;
		if (p->loan[i].own)
			give_back(mapper, &p->loan[i]);
		forget(p, &p->loan[i]);
	}
}

/* One of those that it has mapped; nobody will see its own memory again. False: there
 * is none. */
static bool return_one(struct guest *g)
{
	struct guest *of = NULL;
	struct loan *l;

	spin_lock(&g->lock);
	if (g->pages && g->pages->loans)
		of = guests[g->pages->loan[g->pages->loans - 1].guest];
	spin_unlock(&g->lock);
	if (!of)
		return false;
	lock_both(g, of);
	l = g->pages->loans ? &g->pages->loan[g->pages->loans - 1] : NULL;
	if (l && l->guest == of->slot) {
		give_back(g, l);
		returned(g, of, l);
	}
	unlock_both(g, of);
	return true;
}

void pages_end(struct guest *g)
{
	uint32_t i;

	while (return_one(g))
		;
	for (i = 0; i < guest_count; i++) {
		if (guests[i] == g)
			continue;
		spin_lock(&guests[i]->lock);
		take_from(guests[i], g);
		spin_unlock(&guests[i]->lock);
	}
}
