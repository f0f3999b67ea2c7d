// SPDX-License-Identifier: GPL-2.0-only
/*
 * From the boot loader to the first instruction of each guest. What a guest
 * is made of are modules (multiboot.c): a kernel, and the ROM and initial RAM
 * disk that follow it. Their strings are
 *
 *	FILE role=kernel memory=MB [OPTION...] name=NAME -- COMMAND LINE
 *	FILE role=rom name=NAME
 *	FILE role=initrd name=NAME
 *
 * NAME is what error messages call it. A guest without a ROM gets the first
 * one there is for its kind. OPTIONs: nobatch, verify, trace (vmi-run --help), starts=N: it is
 * started that many times, each time when it has ended; shares=N: its vCPUs have
 * N hundredths of another's time, if there is not enough for all; pin=N: they run
 * on the processors whose bits are set in N alone; and console=N: the
 * console is not the serial port but debug port E0h + N, N from 1 to 8, which
 * takes bytes and gives none; introspect=N: a tool may look into it by the
 * machine's N-th channel (core/kvmi.h). Of a unikernel: disk=N:DEVICE and net=N:DEVICE, the
 * N-th such device of the machine under its name in the manifest; it needs no
 * ROM. What a guest may do to others, and whose guest it takes itself for:
 * rights=manage+introspect (either or both), unmanaged, personality=jailhouse, acrn
 * or kvm; comm=ADDRESS or any: of its page of shared variables, and reply_timeout=MS and
 * passive about them (spec/neighbours.md). Our own command line may say mitigations=off
 * (speculation.c), and control=N: vmi-run makes calls about guests by the machine's
 * N-th channel (core/control.h).
 */
#include <cpu.h>
#include <string.h>

#include "core.h"
#include "log.h"
#include "metal.h"
#include "multiboot.h"
#include "vmi_hypercall.h"


struct module {
	const char	*string;
	struct guest_image image;
};

/* What one guest is made of. */
struct modules {
	struct module	kernel, rom, initrd;
};

extern const char image_end[];


/* ---- strings ------------------------------------------------------------ */

static bool starts_with(const char *s, const char *prefix)
{
	for (; *prefix; s++, prefix++)
		if (*s != *prefix)
			return false;
	return true;
}

/* Behind the first occurrence of a word, or NULL. */
static const char *after(const char *s, const char *word)
{
	for (; *s; s++)
		if (starts_with(s, word))
			return s + strlen(word);
	return NULL;
}

/* Behind the option in a module's string, or NULL; from such a place on, the next
 * of that name. A space is before each. */
static const char *next_option(const struct module *m, const char *from,
			       const char *word)
{
	const char *at = from, *begin;

	do {
		at = after(at, word);
		begin = at ? at - strlen(word) : m->string;
	} while (begin != m->string && begin[-1] != ' ');
	return at && at <= m->image.name ? at : NULL;
}

static const char *option(const struct module *m, const char *word)
{
	return next_option(m, m->string, word);
}

static uint64_t number(const char *s)
{
	uint64_t n = 0;

	while (*s >= '0' && *s <= '9' && n < 1ull << 40)
		n = n * 10 + *s++ - '0';
	return n;
}

/* ---- what the boot loader says ------------------------------------------ */

static bool mitigations_off(const struct boot *boot)
{
	const char *word = after(boot->cmdline, "mitigations=");

	if (word && !starts_with(word, "off") && !starts_with(word, "auto"))
		bad_input("mitigations=%s: auto or off", word);
	return word && starts_with(word, "off");
}

/* The channel and one; 0: none. */
static uint64_t control_channel(const struct boot *boot)
{
	const char *word = after(boot->cmdline, "control=");
	uint64_t channel = word ? number(word) : 0;

	if (channel > host_channels || (word && !channel))
		bad_input("control=%lu: the machine has %u channels", channel,
			  host_channels);
	return channel;
}

static struct module module_of(const struct boot_module *m)
{
	const char *name = after(m->string, "name=");

	if (!name || !after(m->string, "role="))
		bad_input("module \"%s\": it has no role=, or no name=",
			  m->string);
	return (struct module){
		.string = m->string,
		.image = { name, host_va(m->start), m->end - m->start },
	};
}

/* Sort the modules by guest; returns their number. */
static uint32_t find_guests(const struct boot *boot,
			    struct modules guest[GUESTS_MAX])
{
	uint32_t i, n = 0;

	for (i = 0; i < boot->modules; i++) {
		struct module m = module_of(&boot->module[i]);
		const char *role = after(m.string, "role=");

		if (starts_with(role, "kernel")) {
			if (n == GUESTS_MAX)
				bad_input("more than %u guests", GUESTS_MAX);
			guest[n++].kernel = m;
		} else if (!n) {
			bad_input("%s: a module before the first kernel",
				  m.image.name);
		} else if (starts_with(role, "rom")) {
			guest_rom(&m.image);
			if (!guest[n - 1].rom.image.data)
				guest[n - 1].rom = m;
		} else if (starts_with(role, "initrd")) {
			guest[n - 1].initrd = m;
		} else {
			bad_input("%s: its role is unknown", m.image.name);
		}
	}
	if (!n)
		bad_input("no module with role=kernel");
	return n;
}

/* What follows " -- " in the kernel's string; there the name ends. */
static const char *command_line(struct module *kernel)
{
	static const char mark[] = " -- ";
	char *at = (char *)kernel->image.name;

	for (; *at && !starts_with(at, mark); at++)
		;
	if (!*at)
		return at;
	*at = '\0';
	return at + strlen(mark);
}

/* ---- the guests ---------------------------------------------------------- */

static const char *const guest_name[GUESTS_MAX] = {
	"guest 1", "guest 2", "guest 3", "guest 4",
	"guest 5", "guest 6", "guest 7", "guest 8",
};

/* Of a whole number in the kernel's string; without it the value. */
static uint64_t number_of(const struct modules *m, const char *word,
			  uint64_t value)
{
	const char *at = option(&m->kernel, word);

	return at ? number(at) : value;
}

/* N:DEVICE */
static void add_device(struct guest_config *c, const char *at, bool net)
{
	struct guest_device *d = &c->device[c->devices];
	const char *colon = after(at, ":");
	uint32_t i;

	if (c->devices++ == GUEST_DEVICES || !colon)
		bad_input("%s=%s: not N:DEVICE, or too many",
			  net ? "net" : "disk", at);
	*d = (struct guest_device){ .net = net, .nr = number(at) };
	for (i = 0; colon[i] && colon[i] != ' '; i++) {
		if (i == sizeof(d->name) - 1)
			bad_input("%s=%s: the name is too long",
				  net ? "net" : "disk", at);
		d->name[i] = colon[i];
	}
}

static void add_devices(struct guest_config *c, const struct module *kernel)
{
	const char *at;

	for (at = kernel->string; (at = next_option(kernel, at, "disk="));)
		add_device(c, at, false);
	for (at = kernel->string; (at = next_option(kernel, at, "net="));)
		add_device(c, at, true);
}

/* Each device is one guest's. */
static void check_devices(const struct guest_config *c, uint32_t count)
{
	uint64_t used[2] = { 0 }, bit;
	uint32_t i;

	for (; count; count--, c++)
		for (i = 0; i < c->devices; i++) {
			bit = 1ull << c->device[i].nr % 64;
			if (used[c->device[i].net] & bit)
				bad_input("%s=%u: two have it",
					  c->device[i].net ? "net" : "disk",
					  c->device[i].nr);
			used[c->device[i].net] |= bit;
		}
}

/* Does a word stand there, up to a space, the end, or one of these? */
static bool word_at(const char *at, const char *word, char or)
{
	char end = starts_with(at, word) ? at[strlen(word)] : 'x';

	return !end || end == ' ' || end == or;
}

static uint32_t rights_of(const struct module *m)
{
	static const char *const word[] = { "manage", "introspect" };
	const char *at = option(m, "rights=");
	uint32_t rights = 0, i;

	while (at) {
		for (i = 0; i < ARRAY_SIZE(word); i++)
			if (word_at(at, word[i], '+'))
				break;
		if (i == ARRAY_SIZE(word))
			bad_input("rights=%s: manage or introspect", at);
		rights |= 1u << i;
		at += strlen(word[i]);
		at = *at == '+' ? at + 1 : NULL;
	}
	return rights;
}
_Static_assert(VMI_RIGHT_MANAGE == 1 && VMI_RIGHT_INTROSPECT == 2, "by bit");

static enum personality personality_of(const struct module *m)
{
	static const char *const word[PERSONALITIES] = {
		[JAILHOUSE] = "jailhouse", [ACRN] = "acrn", [KVM] = "kvm",
	};
	const char *at = option(m, "personality=");
	uint32_t i;

	if (!at)
		return OPENVMI;
	for (i = OPENVMI + 1; i < PERSONALITIES; i++)
		if (word_at(at, word[i], ' '))
			return i;
	bad_input("personality=%s: jailhouse, acrn or kvm", at);
}

static uint64_t comm_of(const struct modules *m)
{
	const char *at = option(&m->kernel, "comm=");

	return at && word_at(at, "any", ' ') ? VMI_COMM_ANY :
					       number_of(m, "comm=", 0);
}

static void configure(struct guest_config *c, struct modules *m,
		      const char *name)
{
	uint64_t console = number_of(m, "console=", 0);
	uint64_t starts = number_of(m, "starts=", 1);
	uint64_t vcpus = number_of(m, "cpus=", 1);
	uint64_t shares = number_of(m, "shares=", GUEST_SHARES);
	uint64_t introspect = number_of(m, "introspect=", 0);
	uint64_t all = (1ull << host_cpus) - 1;
	uint64_t pin = number_of(m, "pin=", all);
	uint64_t reply_timeout = number_of(m, "reply_timeout=", 0);

	if (!option(&m->kernel, "memory="))
		bad_input("%s: memory=MB is missing", m->kernel.image.name);
	if (console > HOST_CONSOLES)
		bad_input("console=%lu: there are %u", console, HOST_CONSOLES);
	if (introspect > host_channels)
		bad_input("introspect=%lu: the machine has %u channels",
			  introspect, host_channels);
	if (!starts || starts > UINT32_MAX)
		bad_input("starts=%lu: 1 or more", starts);
	if (!vcpus || vcpus > GUEST_VCPUS)
		bad_input("cpus=%lu: 1 to %u", vcpus, GUEST_VCPUS);
	if (!shares || shares > GUEST_SHARES_MAX)
		bad_input("shares=%lu: 1 to %u", shares, GUEST_SHARES_MAX);
	if (!pin || (pin & ~all))
		bad_input("pin=%lu: there are %u processors, from bit 0 on", pin,
			  host_cpus);
	if (reply_timeout > REPLY_TIMEOUT_MAX)
		bad_input("reply_timeout=%lu: up to %u ms", reply_timeout,
			  REPLY_TIMEOUT_MAX);
	if (starts > 1 && option(&m->kernel, "trace"))
		bad_input("starts=%lu: a trace is of one start", starts);
	*c = (struct guest_config){
		.name = name,
		.memory = number_of(m, "memory=", 0),
		.starts = starts,
		.cpus = vcpus,
		.shares = shares,
		.pin = pin,
		.console = console,
		.rights = rights_of(&m->kernel),
		.personality = personality_of(&m->kernel),
		.unmanaged = option(&m->kernel, "unmanaged"),
		.comm = comm_of(m),
		.reply_timeout = reply_timeout,
		.passive = option(&m->kernel, "passive"),
		.introspect = introspect,
		.nobatch = option(&m->kernel, "nobatch"),
		.verify = option(&m->kernel, "verify"),
		.trace = option(&m->kernel, "trace"),
		.cmdline = command_line(&m->kernel),
		.kernel = m->kernel.image,
		.rom = m->rom.image,
		.initrd = m->initrd.image,
	};
	add_devices(c, &m->kernel);
}

void hv_main(uint32_t magic, uint32_t info);
void hv_main(uint32_t magic, uint32_t info)
{
	static struct boot boot;
	static struct modules modules[GUESTS_MAX];
	static struct guest_config config[GUESTS_MAX];
	char error[GUEST_ERROR_MAX];
	const char *wrong;
	uint32_t count, i;
	uint64_t control;

	serial_init();
	wrong = multiboot_read(&boot, magic, info);
	if (wrong)
		bad_input("boot loader: %s", wrong);
	acpi_rsdp = boot.rsdp;
	speculation_init(mitigations_off(&boot));
	map_init();
	count = find_guests(&boot, modules);

	boot_memory(&boot, host_pa(image_end));
	processor_init();
	clock_init();
	processors_start();
	virtio_init();
	if (!espfix_init())
		bad_input("no memory for the hypervisor");
	control = control_channel(&boot);
	if (control && !control_init(control - 1))
		bad_input("no memory for the hypervisor");
	log_printf("OpenVMI: TSC %lu Hz\n", host_tsc_hz);
	for (i = 0; i < count; i++)
		configure(&config[i], &modules[i],
			  count > 1 ? guest_name[i] : "guest");
	check_devices(config, count);
	for (i = 0; i < count; i++) {
		if (!guest_create(&config[i], error))
			bad_input("%s", error);
	}
	sched_run();
}
