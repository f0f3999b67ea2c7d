// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sees to other guests, from one that may (rights=manage), by /dev/vmi. What it can do
 * is in help[]; what the hypervisor makes of it is in spec/neighbours.md, N-5 and N-6.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#include "vmictl.h"

static const char help[] =
	"vmictl COMMAND ...: other guests of this machine\n"
	"\n"
	"  list                     all that are in reach\n"
	"  info GUEST               what it is\n"
	"  stats GUEST              what it has done so far\n"
	"  top [-d S] [-n TIMES]    what all do, every S seconds (2), so often; it is what\n"
	"                           came since the last time: at first nothing\n"
	"  create KERNEL [OPTION]   make a guest; it does not run yet; says its number\n"
	"  start KERNEL [OPTION]    the same, and it begins; a KERNEL has a / in it\n"
	"  start GUEST              one that was made, or has ended, begins; no options\n"
	"  console GUEST            talk with one that was made here; Ctrl-] leaves it\n"
	"  pause GUEST              it stands still\n"
	"  resume GUEST             it goes on\n"
	"  reset GUEST              it starts anew\n"
	"  shutdown GUEST [-t S]    ask it to end, and wait so many seconds (60)\n"
	"  destroy GUEST            it is no more\n"
	"\n"
	"GUEST is a number of list's, or a name that one guest has. A guest with shared\n"
	"variables has a vote: reset and destroy need an approved shutdown first.\n"
	"\n"
	"Of create and start:\n"
	"  --initrd FILE            initial RAM disk\n"
	"  --append STRING          command line (console=ttyS0 panic=-1)\n"
	"  --memory MB              (64)\n"
	"  --cpus N                 (1)\n"
	"  --shares N               of the time, up to one's own (100)\n"
	"  --name NAME              (the kernel's file)\n"
	"  --rights RIGHTS          manage, introspect or manage+introspect, no more than\n"
	"                           one's own\n"
	"  --no-comm                no shared variables: it cannot be asked to end\n"
	"  --passive                it has no vote\n"
	"  --reply-timeout MS       after which it has failed if it does not reply, and\n"
	"                           has no vote (30000; 0: never)\n"
	"  --console                and talk with it (start)\n"
	"\n"
	"status: 0 done; 1 it could not be done, or was denied; 2 usage\n";

int device;

void end(int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("vmictl: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	exit(status);
}

static void open_device(void)
{
	device = open("/dev/vmi", O_RDWR | O_CLOEXEC);
	if (device < 0 && errno == ENOENT)
		fail("/dev/vmi is not there: this guest has no rights (vmi-run --guest rights=manage)");
	if (device < 0)
		fail("/dev/vmi: %m");
}

static uint32_t number(const char *text, const char *what)
{
	char *rest;
	unsigned long n;

	errno = 0;
	n = strtoul(text, &rest, 10);
	/* strtoul() takes blanks and signs. */
	if (*text < '0' || *text > '9' || *rest || errno || n > UINT32_MAX)
		usage("%s: %s is not a number", text, what);
	return n;
}

/* ---- guests ---------------------------------------------------------------- */

static const char *const state_name[] = {
	"running", "locked", "shut down", "failed", "ABI mismatch",
};

static const char *state_of(const struct vmi_guest_info *info)
{
	if (info->paused)
		return "paused";
	return info->state < sizeof(state_name) / sizeof(*state_name) ?
	       state_name[info->state] : "unknown";
}

static const char *rights_of(uint32_t rights)
{
	static const char *const name[] = {
		"-", "manage", "introspect", "manage+introspect"
	};

	return rights < 4 ? name[rights] : "unknown";
}

/* Of those that there are; how many. */
static uint32_t list(struct vmi_list *l)
{
	int n = ioctl(device, VMI_LIST, l);

	if (n < 0)
		fail("list: %s", errno == EINVAL ? "this guest may not manage" :
		     strerror(errno));
	return n < VMI_LIST_MAX ? n : VMI_LIST_MAX;
}

bool get_info(uint32_t guest, struct vmi_guest_info *info)
{
	info->id = guest;
	return !ioctl(device, VMI_INFO, info);
}

bool is_over(uint32_t guest)
{
	struct vmi_guest_info info;

	return !get_info(guest, &info) || info.ended;
}

static uint32_t find(const char *text)
{
	struct vmi_guest_info info;
	uint32_t i, n, found = 0, guest = 0;
	struct vmi_list l;

	if (*text && strspn(text, "0123456789") == strlen(text)) {
		guest = number(text, "GUEST");
		if (!get_info(guest, &info))
			fail("guest %s: there is none, or it is out of reach", text);
		return guest;
	}
	n = list(&l);
	for (i = 0; i < n; i++)
		if (get_info(l.id[i], &info) && !strcmp(info.name, text)) {
			guest = l.id[i];
			found++;
		}
	if (found != 1)
		fail("%s: %s of that name", text, found ? "several guests are" :
		     "no guest is");
	return guest;
}

/* ---- what they are and do -------------------------------------------------- */

static void do_list(int argc)
{
	struct vmi_guest_info info;
	struct vmi_list l;
	uint32_t i, n;

	if (argc != 1)
		usage("list: nothing else is needed");
	n = list(&l);
	printf("%-5s %-20s %-13s %4s %6s %4s %s\n", "GUEST", "NAME", "STATE",
	       "CPUS", "MB", "BITS", "RIGHTS");
	for (i = 0; i < n; i++)
		if (get_info(l.id[i], &info))
			printf("%-5u %-20s %-13s %4u %6llu %4u %s\n", info.id,
			       info.name, state_of(&info), info.vcpus,
			       (unsigned long long)info.memory >> 20, info.bits,
			       rights_of(info.rights));
}

static void do_info(uint32_t guest)
{
	struct vmi_guest_info info;

	if (!get_info(guest, &info))
		fail("guest %u: %m", guest);
	printf("guest: %u\nname: %s\nstate: %s\ncpus: %u\nmemory: %llu MB\n"
	       "bits: %u\nrights: %s\nstarts: %u\nexits: %llu\n",
	       info.id, info.name, state_of(&info), info.vcpus,
	       (unsigned long long)info.memory >> 20, info.bits,
	       rights_of(info.rights), info.starts,
	       (unsigned long long)info.exits);
}

static bool get_stats(uint32_t guest, struct vmi_guest_stats *s)
{
	struct vmi_statistics v = { .guest = guest };
	bool there = !ioctl(device, VMI_STATISTICS, &v);

	*s = v.of;
	return there;
}

static void do_stats(uint32_t guest)
{
	struct vmi_guest_stats s;

	if (!get_stats(guest, &s))
		fail("guest %u: %m", guest);
#define SHOW(name)	printf(#name ": %llu\n", (unsigned long long)s.name)
	SHOW(exits);
	SHOW(hypercalls);
	SHOW(page_faults);
	SHOW(interrupts);
	SHOW(shadow_fills);
	SHOW(ports);
	SHOW(used);
	SHOW(stolen);
	SHOW(memory_left);
}

static struct {
	struct vmi_guest_stats s;
	bool		there;
} last[VMI_LIST_MAX];

/* What has come since, in a second. */
static void show_rates(uint32_t guest, const struct vmi_guest_info *info,
		       double seconds, uint64_t cycles)
{
	struct vmi_guest_stats now, *old = &last[guest].s;

	if (!get_stats(guest, &now))
		return;
	if (!last[guest].there || now.exits < old->exits)
		*old = now;
#define RATE(name)	((double)(now.name - old->name) / seconds)
#define PART(name)	(100.0 * (double)(now.name - old->name) / (double)cycles)
	printf("%-5u %-20s %-13s %7.1f %7.1f %9.0f %9.0f %9.0f %9.0f %9.0f\n",
	       guest, info->name, state_of(info), PART(used), PART(stolen),
	       RATE(exits), RATE(hypercalls), RATE(page_faults),
	       RATE(interrupts), RATE(ports));
	last[guest].there = true;
	*old = now;
}

static double seconds_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void do_top(int argc, char **argv)
{
	uint32_t delay = 2, times = UINT32_MAX, i, n, done;
	double then = 0, now;
	struct vmi_guest_info info;
	uint64_t tsc = 0, tsc_now;
	struct vmi_list l;
	int c;

	while ((c = getopt(argc, argv, "d:n:")) != -1) {
		if (c == 'd')
			delay = number(optarg, "-d S");
		else if (c == 'n')
			times = number(optarg, "-n TIMES");
		else
			exit(2);
	}
	if (optind < argc || !delay)
		usage("top: -d S of 1 or more, -n TIMES");
	for (done = 0; done < times; done++) {
		if (done)
			sleep(delay);
		now = seconds_now();
		tsc_now = __rdtsc();
		if (isatty(1))
			fputs("\033[H\033[J", stdout);
		printf("%-5s %-20s %-13s %7s %7s %9s %9s %9s %9s %9s\n", "GUEST",
		       "NAME", "STATE", "CPU%", "STOLEN%", "EXITS/s", "CALLS/s",
		       "FAULTS/s", "IRQS/s", "PORTS/s");
		n = list(&l);
		for (i = 0; i < n; i++)
			if (l.id[i] < VMI_LIST_MAX && get_info(l.id[i], &info))
				show_rates(l.id[i], &info, now - then,
					   tsc_now - tsc);
		fflush(stdout);
		then = now;
		tsc = tsc_now;
	}
}

/* ---- the making ------------------------------------------------------------ */

static struct vmi_guest_create wanted = {
	.memory = 64, .cpus = 1, .shares = 100, .comm = VMI_COMM_ANY,
	.reply_timeout = 30000,
};

static void map(const char *path, uint64_t *address, uint64_t *bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat s;
	void *at;

	if (fd < 0 || fstat(fd, &s))
		fail("%s: %m", path);
	if (!S_ISREG(s.st_mode) || !s.st_size)
		fail("%s: %s", path, S_ISREG(s.st_mode) ? "empty" : "no file");
	at = mmap(NULL, s.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (at == MAP_FAILED)
		fail("%s: %m", path);
	close(fd);
	*address = (uintptr_t)at;
	*bytes = s.st_size;
}

static uint32_t rights(const char *text)
{
	uint32_t r;

	for (r = 1; r < 4; r++)
		if (!strcmp(text, rights_of(r)))
			return r;
	usage("%s: rights are manage, introspect or manage+introspect", text);
}

static const struct option options[] = {
	{ "initrd", 1, NULL, 'i' }, { "append", 1, NULL, 'a' },
	{ "memory", 1, NULL, 'm' }, { "cpus", 1, NULL, 'p' },
	{ "shares", 1, NULL, 's' }, { "name", 1, NULL, 'n' },
	{ "rights", 1, NULL, 'r' }, { "no-comm", 0, NULL, 'o' },
	{ "passive", 0, NULL, 'v' }, { "reply-timeout", 1, NULL, 't' },
	{ "console", 0, NULL, 'c' }, { NULL, 0, NULL, 0 },
};

/* True: talk with it. */
static bool parse_options(int argc, char **argv, const char **append,
			  const char **name)
{
	bool talk = false;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'i':
			map(optarg, &wanted.initrd, &wanted.initrd_bytes);
			break;
		case 'a':
			*append = optarg;
			break;
		case 'm':
			wanted.memory = number(optarg, "--memory");
			break;
		case 'p':
			wanted.cpus = number(optarg, "--cpus");
			break;
		case 's':
			wanted.shares = number(optarg, "--shares");
			break;
		case 'n':
			*name = optarg;
			break;
		case 'r':
			wanted.rights = rights(optarg);
			break;
		case 'o':
			wanted.comm = 0;
			break;
		case 'v':
			wanted.passive = 1;
			break;
		case 't':
			wanted.reply_timeout = number(optarg, "--reply-timeout");
			break;
		case 'c':
			talk = true;
			break;
		default:
			exit(2);
		}
	}
	return talk;
}

static void start(uint32_t guest)
{
	if (!ioctl(device, VMI_START, guest))
		return;
	fail("guest %u: %s", guest, errno == EBUSY ? "it has begun and not ended" :
	     errno == ENOMEM ? "there is not so much memory" :
	     errno == EINVAL ? "it is this one, or gone" : strerror(errno));
}

/* argv[0] is the command. */
static void do_create(int argc, char **argv, bool starts)
{
	const char *append = "console=ttyS0 panic=-1", *name = NULL;
	bool talk = parse_options(argc, argv, &append, &name);
	const char *kernel = argv[optind];
	int guest;

	if (optind != argc - 1)
		usage("%s: one KERNEL is needed; see vmictl --help", argv[0]);
	if (starts && !strchr(kernel, '/'))
		usage("start: %s: a KERNEL has a / in it, and a GUEST has no options",
		      kernel);
	if (talk && !starts)
		usage("create: it says nothing before it is started");
	if (!name)
		name = strrchr(kernel, '/') ? strrchr(kernel, '/') + 1 : kernel;
	if (strlen(name) >= sizeof(wanted.name))
		usage("%s: a name has up to %u characters; see --name", name,
		      (unsigned int)sizeof(wanted.name) - 1);
	strcpy(wanted.name, name);
	if (strlen(append) > VMI_CMDLINE_MAX)
		usage("--append: up to %u characters", VMI_CMDLINE_MAX);
	wanted.cmdline = (uintptr_t)append;
	wanted.cmdline_bytes = strlen(append);
	map(kernel, &wanted.kernel, &wanted.kernel_bytes);
	guest = ioctl(device, VMI_CREATE, &wanted);
	if (guest < 0)
		fail("%s: %s", kernel, errno == EINVAL ?
		     "refused: a right, --memory, --cpus or --shares that it cannot have, not so much memory, or no kernel; the hypervisor's log may say more" :
		     errno == ENOMEM ?
		     "there is not so much memory, or as many guests as there can be" :
		     strerror(errno));
	if (starts)
		start(guest);
	printf("guest %d\n", guest);
	fflush(stdout);
	if (talk)
		console(guest);
}

static void do_start(int argc, char **argv)
{
	if (argc == 2 && !strchr(argv[1], '/'))
		start(find(argv[1]));
	else
		do_create(argc, argv, true);
}

/* ---- its life -------------------------------------------------------------- */

static void change(uint32_t guest, unsigned long how, const char *busy)
{
	if (!ioctl(device, how, guest))
		return;
	fail("guest %u: %s", guest, errno == EBUSY ? busy :
	     errno == EPERM ? "it has a vote, and is locked or has not approved its shutdown (vmictl shutdown)" :
	     errno == EINVAL ? "it is this one, or gone" :
	     errno == ENOMEM ? "there is not so much memory" : strerror(errno));
}

static int reply(uint32_t guest, int n)
{
	if (n >= 0)
		return n;
	fail("guest %u: %s", guest, errno == EBUSY ?
	     "it has not replied to the last message" :
	     errno == ETIMEDOUT ? "it did not reply in its time, and has failed" :
	     errno == EINVAL ? "it is this one, or gone" : strerror(errno));
}

/* Since this start. */
static bool has_ended(const struct vmi_guest_info *before)
{
	struct vmi_guest_info info;

	return !get_info(before->id, &info) || info.ended ||
	       info.starts != before->starts;
}

static void do_shutdown(int argc, char **argv)
{
	struct vmi_guest_info before;
	struct vmi_send send = { .message = VMI_MSG_SHUTDOWN };
	const struct timespec tick = { .tv_nsec = 50000000 };
	uint32_t wait = 60;
	double until;
	int c, said;

	while ((c = getopt(argc, argv, "t:")) != -1) {
		if (c != 't')
			exit(2);
		wait = number(optarg, "-t S");
	}
	if (optind != argc - 1)
		usage("shutdown: one GUEST is needed");
	send.guest = find(argv[optind]);
	if (!get_info(send.guest, &before))
		fail("guest %u: %m", send.guest);
	until = seconds_now() + wait;
	said = reply(send.guest, ioctl(device, VMI_SEND, &send));
	/* At once, so nobody has asked it; but it may be on its way. */
	if (said == VMI_REPLY_APPROVED && !has_ended(&before) &&
	    ioctl(device, VMI_STATE, send.guest) != VMI_STATE_SHUT_DOWN)
		fail("guest %u: it has no vote, and is not asked (vmictl destroy)",
		     send.guest);
	while (!said && seconds_now() < until) {
		nanosleep(&tick, NULL);
		said = reply(send.guest, ioctl(device, VMI_REPLY, send.guest));
	}
	if (!said)
		fail("guest %u: it has not replied in %u s", send.guest, wait);
	if (said != VMI_REPLY_APPROVED)
		fail("guest %u: %s", send.guest, said == VMI_REPLY_DENIED ?
		     "denied" : "it does not know what that is");
	while (!has_ended(&before) && seconds_now() < until)
		nanosleep(&tick, NULL);
	if (!has_ended(&before))
		fail("guest %u: it may be ended, but has not in %u s (vmictl destroy)",
		     send.guest, wait);
}

static const struct {
	const char	*name;
	unsigned long	how;
	const char	*busy;
} changes[] = {
	{ "pause", VMI_PAUSE, "it does not run" },
	{ "resume", VMI_RESUME, "it does not stand still" },
	{ "reset", VMI_RESET, "busy" },
	{ "destroy", VMI_DESTROY, "busy" },
};

static void (*const shows[])(uint32_t) = { do_info, do_stats, console };
static const char *const show_name[] = { "info", "stats", "console" };

/* Those with a GUEST and nothing else. */
static bool simple(int argc, char **argv)
{
	uint32_t i;

	for (i = 0; i < sizeof(shows) / sizeof(*shows); i++)
		if (!strcmp(argv[0], show_name[i])) {
			if (argc != 2)
				usage("%s: one GUEST is needed", argv[0]);
			shows[i](find(argv[1]));
			return true;
		}
	for (i = 0; i < sizeof(changes) / sizeof(*changes); i++)
		if (!strcmp(argv[0], changes[i].name)) {
			if (argc != 2)
				usage("%s: one GUEST is needed", argv[0]);
			change(find(argv[1]), changes[i].how, changes[i].busy);
			return true;
		}
	return false;
}

int main(int argc, char **argv)
{
	if (argc < 2 || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		fputs(help, argc < 2 ? stderr : stdout);
		return argc < 2 ? 2 : 0;
	}
	open_device();
	argc--;
	argv++;
	if (!strcmp(argv[0], "list"))
		do_list(argc);
	else if (!strcmp(argv[0], "top"))
		do_top(argc, argv);
	else if (!strcmp(argv[0], "create"))
		do_create(argc, argv, false);
	else if (!strcmp(argv[0], "start"))
		do_start(argc, argv);
	else if (!strcmp(argv[0], "shutdown"))
		do_shutdown(argc, argv);
	else if (!simple(argc, argv))
		usage("%s: there is no such command; see vmictl --help", argv[0]);
	return 0;
}
