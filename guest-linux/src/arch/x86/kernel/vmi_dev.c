// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/vmi: calls to the OpenVMI hypervisor about other guests, for programs of a
 * guest that has rights to make them. What each does is in <uapi/linux/vmi.h>. The
 * hypervisor checks; here is only what makes memory of programs the guest's.
 */
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/list.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <asm/hw_irq.h>
#include <asm/irq_vectors.h>
#include <uapi/linux/vmi.h>

#include "vmi_client.h"

/* One for each open(). */
struct vmi_file {
	struct mutex	lock;		/* of the page */
	void		*page;		/* what the hypervisor reads and writes */
	struct vmi_io_request *slots;	/* a page of them, once it was needed */
	struct list_head server;	/* in vmi_servers, or empty */
	u32		guest;		/* that it serves then */
};

/* ---- memory of programs --------------------------------------------------- */

struct vmi_pages {
	struct page	**page;
	u64		*list;		/* their addresses, in one piece */
	unsigned long	count;
};

static void vmi_unpin(struct vmi_pages *p)
{
	if (p->page)
		unpin_user_pages(p->page, p->count);
	kvfree(p->page);
	if (p->list)
		free_pages_exact(p->list, p->count * sizeof(*p->list));
}

/* After an error, too, vmi_unpin() is to be called. */
static int vmi_pin(struct vmi_pages *p, u64 address, u64 bytes)
{
	unsigned long i, count;
	int pinned = 0, n = 0;

	if (!bytes)
		return 0;
	if (offset_in_page(address) || address != (unsigned long)address ||
	    bytes > (u64)totalram_pages() << PAGE_SHIFT)
		return -EINVAL;
	count = DIV_ROUND_UP(bytes, PAGE_SIZE);
	p->page = kvcalloc(count, sizeof(*p->page), GFP_KERNEL);
	if (!p->page)
		return -ENOMEM;
	while (pinned < count) {
		n = pin_user_pages_fast(address + (u64)pinned * PAGE_SIZE,
					count - pinned, 0, p->page + pinned);
		if (n <= 0)
			break;
		pinned += n;
		cond_resched();
	}
	p->count = pinned;
	if (pinned < count)
		return n < 0 ? n : -EFAULT;
	p->list = alloc_pages_exact(count * sizeof(*p->list),
				    GFP_KERNEL | __GFP_NOWARN);
	if (!p->list)
		return -ENOMEM;
	for (i = 0; i < count; i++)
		p->list[i] = page_to_phys(p->page[i]);
	return 0;
}

/* ---- calls ---------------------------------------------------------------- */

#define VMI_ARG(type)	((struct type __user *)arg)

/* The argument is the guest. */
static long vmi_about(struct vmi_file *f, u32 nr, unsigned long arg)
{
	return vmi_hypercall(nr, arg, 0, 0);
}

static long vmi_list(struct vmi_file *f, u32 nr, unsigned long arg)
{
	struct vmi_list *list = f->page;
	long n = vmi_hypercall(nr, __pa(list), VMI_LIST_MAX, 0);

	if (n > 0 && copy_to_user(VMI_ARG(vmi_list), list,
				  min(n, (long)VMI_LIST_MAX) * sizeof(u32)))
		return -EFAULT;
	return n;
}

static long vmi_info(struct vmi_file *f, u32 nr, unsigned long arg)
{
	struct vmi_guest_info *info = f->page;
	u32 guest;
	long err;

	if (get_user(guest, &VMI_ARG(vmi_guest_info)->id))
		return -EFAULT;
	err = vmi_hypercall(nr, guest, __pa(info), 0);
	if (!err && copy_to_user(VMI_ARG(vmi_guest_info), info, sizeof(*info)))
		return -EFAULT;
	return err;
}

static long vmi_statistics(struct vmi_file *f, u32 nr, unsigned long arg)
{
	struct vmi_guest_stats *stats = f->page;
	u32 guest;
	long err;

	if (get_user(guest, &VMI_ARG(vmi_statistics)->guest))
		return -EFAULT;
	err = vmi_hypercall(nr, guest, __pa(stats), 0);
	if (!err && copy_to_user(&VMI_ARG(vmi_statistics)->of, stats,
				 sizeof(*stats)))
		return -EFAULT;
	return err;
}

static long vmi_send(struct vmi_file *f, u32 nr, unsigned long arg)
{
	struct vmi_send send;

	if (copy_from_user(&send, VMI_ARG(vmi_send), sizeof(send)))
		return -EFAULT;
	return vmi_hypercall(nr, send.guest, send.message, 0);
}

static long vmi_create(struct vmi_file *f, u32 nr, unsigned long arg)
{
	struct vmi_guest_create *c = f->page;
	struct vmi_pages kernel = { NULL }, initrd = { NULL };
	char *cmdline = (char *)(c + 1);
	long result;

	BUILD_BUG_ON(sizeof(*c) + VMI_CMDLINE_MAX > PAGE_SIZE);
	BUILD_BUG_ON(VMI_CREATE_PAGE != PAGE_SIZE);
	if (copy_from_user(c, VMI_ARG(vmi_guest_create), sizeof(*c)))
		return -EFAULT;
	if (c->cmdline_bytes > VMI_CMDLINE_MAX)
		return -EINVAL;
	if (copy_from_user(cmdline, u64_to_user_ptr(c->cmdline),
			   c->cmdline_bytes))
		return -EFAULT;
	result = vmi_pin(&kernel, c->kernel, c->kernel_bytes);
	if (!result)
		result = vmi_pin(&initrd, c->initrd, c->initrd_bytes);
	if (!result) {
		c->kernel = kernel.list ? __pa(kernel.list) : 0;
		c->initrd = initrd.list ? __pa(initrd.list) : 0;
		c->cmdline = __pa(cmdline);
		result = vmi_hypercall(nr, __pa(c), 0, 0);
	}
	vmi_unpin(&kernel);
	vmi_unpin(&initrd);
	return result;
}

static long vmi_console_read(struct vmi_file *f, u32 nr, unsigned long arg)
{
	struct vmi_console c;
	long n;

	if (copy_from_user(&c, VMI_ARG(vmi_console), sizeof(c)))
		return -EFAULT;
	n = vmi_hypercall(nr, c.guest, __pa(f->page),
			  min_t(u32, c.bytes, VMI_CONSOLE_MAX));
	if (n > 0 && copy_to_user(u64_to_user_ptr(c.data), f->page, n))
		return -EFAULT;
	return n;
}

static long vmi_console_write(struct vmi_file *f, u32 nr, unsigned long arg)
{
	struct vmi_console c;

	if (copy_from_user(&c, VMI_ARG(vmi_console), sizeof(c)))
		return -EFAULT;
	c.bytes = min_t(u32, c.bytes, VMI_CONSOLE_MAX);
	if (copy_from_user(f->page, u64_to_user_ptr(c.data), c.bytes))
		return -EFAULT;
	return vmi_hypercall(nr, c.guest, __pa(f->page), c.bytes);
}

/* ---- requests of other guests ---------------------------------------------- */

static DECLARE_WAIT_QUEUE_HEAD(vmi_upcalls);

static void vmi_upcall(void)
{
	wake_up_interruptible_all(&vmi_upcalls);
}

/* One of them for each guest, the last one: what that had was destroyed if another
 * file can serve a guest of its number. No call is made for who is none any more. */
static LIST_HEAD(vmi_servers);
static DEFINE_MUTEX(vmi_servers_lock);

static bool vmi_serves(const struct vmi_file *f)
{
	return !list_empty(&f->server);
}

static void vmi_serve(struct vmi_file *f, u32 guest)
{
	struct vmi_file *other;

	list_for_each_entry(other, &vmi_servers, server) {
		if (other->guest != guest)
			continue;
		list_del_init(&other->server);
		break;
	}
	f->guest = guest;
	list_add(&f->server, &vmi_servers);
}

static long vmi_request_page(struct vmi_file *f, u32 nr, unsigned long arg)
{
	struct vmi_request_page p;
	long err = -EBUSY;

	BUILD_BUG_ON(sizeof(*f->slots) * VMI_REQUEST_SLOTS != PAGE_SIZE);
	if (copy_from_user(&p, VMI_ARG(vmi_request_page), sizeof(p)))
		return -EFAULT;
	if (!f->slots)
		/* It is zero, for vmi_mmap(). */
		smp_store_release(&f->slots,
				  (void *)get_zeroed_page(GFP_KERNEL));
	if (!f->slots)
		return -ENOMEM;
	mutex_lock(&vmi_servers_lock);
	if (!vmi_serves(f)) {
		err = vmi_hypercall(nr, p.guest, __pa(f->slots), p.flags);
		if (!err)
			vmi_serve(f, p.guest);
	}
	mutex_unlock(&vmi_servers_lock);
	return err;
}

/* A call of the server's about its guest. */
static long vmi_as_server(struct vmi_file *f, u32 nr, unsigned long a,
			  unsigned long b, unsigned long c)
{
	long result = -EINVAL;

	mutex_lock(&vmi_servers_lock);
	if (vmi_serves(f))
		result = vmi_hypercall4(nr, f->guest, a, b, c);
	/* If the guest is gone, nobody is served either. */
	if (nr == VMI_HC_RequestEnd)
		list_del_init(&f->server);
	mutex_unlock(&vmi_servers_lock);
	return result;
}

static long vmi_request_end(struct vmi_file *f, u32 nr, unsigned long arg)
{
	return vmi_as_server(f, nr, 0, 0, 0);
}

static long vmi_claim(struct vmi_file *f, u32 nr, unsigned long arg)
{
	struct vmi_claim c;

	if (copy_from_user(&c, VMI_ARG(vmi_claim), sizeof(c)))
		return -EFAULT;
	if (c.first != (unsigned long)c.first ||
	    c.bytes != (unsigned long)c.bytes)
		return -EINVAL;
	return vmi_as_server(f, nr, c.kind, c.first, c.bytes);
}

static long vmi_request_done(struct vmi_file *f, u32 nr, unsigned long arg)
{
	return vmi_as_server(f, nr, arg, 0, 0);
}

static long vmi_set_line(struct vmi_file *f, u32 nr, unsigned long arg)
{
	struct vmi_line l;

	if (copy_from_user(&l, VMI_ARG(vmi_line), sizeof(l)))
		return -EFAULT;
	return vmi_as_server(f, nr, l.irq, l.level, 0);
}

static __poll_t vmi_poll(struct file *file, poll_table *wait)
{
	struct vmi_file *f = file->private_data;
	__poll_t events = 0;
	int i;

	poll_wait(file, &vmi_upcalls, wait);
	mutex_lock(&f->lock);
	mutex_lock(&vmi_servers_lock);
	for (i = 0; vmi_serves(f) && i < VMI_REQUEST_SLOTS; i++)
		if (READ_ONCE(f->slots[i].state) == VMI_REQUEST_PENDING)
			events = EPOLLIN | EPOLLRDNORM;
	mutex_unlock(&vmi_servers_lock);
	mutex_unlock(&f->lock);
	return events;
}

/* The page stays until the device is closed, which is when it is mapped nowhere. */
static int vmi_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct vmi_file *f = file->private_data;
	/* Without f->lock, which an ioctl() has when it faults; it never changes again. */
	struct vmi_io_request *slots = smp_load_acquire(&f->slots);

	if (!slots || vma->vm_pgoff ||
	    vma->vm_end - vma->vm_start != PAGE_SIZE ||
	    !(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	return vm_insert_page(vma, vma->vm_start, virt_to_page(slots));
}

static const struct {
	unsigned int	cmd;
	long		(*call)(struct vmi_file *f, u32 nr, unsigned long arg);
} vmi_ioctls[] = {
	{ VMI_LIST, vmi_list },
	{ VMI_INFO, vmi_info },
	{ VMI_STATE, vmi_about },
	{ VMI_SEND, vmi_send },
	{ VMI_REPLY, vmi_about },
	{ VMI_CREATE, vmi_create },
	{ VMI_START, vmi_about },
	{ VMI_PAUSE, vmi_about },
	{ VMI_RESUME, vmi_about },
	{ VMI_RESET, vmi_about },
	{ VMI_DESTROY, vmi_about },
	{ VMI_STATISTICS, vmi_statistics },
	{ VMI_CONSOLE_READ, vmi_console_read },
	{ VMI_CONSOLE_WRITE, vmi_console_write },
	{ VMI_REQUEST_PAGE, vmi_request_page },
	{ VMI_REQUEST_END, vmi_request_end },
	{ VMI_CLAIM, vmi_claim },
	{ VMI_UNCLAIM, vmi_claim },
	{ VMI_REQUEST_DONE, vmi_request_done },
	{ VMI_SET_LINE, vmi_set_line },
};

static long vmi_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct vmi_file *f = file->private_data;
	long result = -ENOTTY;
	int i;

	BUILD_BUG_ON(VMI_CONSOLE_MAX > PAGE_SIZE);
	BUILD_BUG_ON(sizeof(struct vmi_list) > PAGE_SIZE);
	for (i = 0; i < ARRAY_SIZE(vmi_ioctls); i++) {
		if (vmi_ioctls[i].cmd != cmd)
			continue;
		if (mutex_lock_interruptible(&f->lock))
			return -ERESTARTSYS;
		result = vmi_ioctls[i].call(f, _IOC_NR(cmd), arg);
		mutex_unlock(&f->lock);
		break;
	}
	return result;
}

/* ---- the device ------------------------------------------------------------ */

static int vmi_open(struct inode *inode, struct file *file)
{
	struct vmi_file *f;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	f = kzalloc(sizeof(*f), GFP_KERNEL);
	if (!f)
		return -ENOMEM;
	f->page = (void *)get_zeroed_page(GFP_KERNEL);
	if (!f->page) {
		kfree(f);
		return -ENOMEM;
	}
	mutex_init(&f->lock);
	INIT_LIST_HEAD(&f->server);
	file->private_data = f;
	return 0;
}

static int vmi_release(struct inode *inode, struct file *file)
{
	struct vmi_file *f = file->private_data;

	vmi_as_server(f, VMI_HC_RequestEnd, 0, 0, 0);
	free_page((unsigned long)f->slots);
	free_page((unsigned long)f->page);
	kfree(f);
	return 0;
}

static const struct file_operations vmi_operations = {
	.open		= vmi_open,
	.release	= vmi_release,
	.unlocked_ioctl	= vmi_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.mmap		= vmi_mmap,
	.poll		= vmi_poll,
	.llseek		= noop_llseek,
};

static struct miscdevice vmi_device = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "vmi",
	.mode	= 0600,
	.fops	= &vmi_operations,
};

static int __init vmi_dev_init(void)
{
	u32 leaf[4];

	vmi_hypervisor_leaf(VMI_CPUID_FEATURES, leaf);
	/* EBX: rights. */
	if (!vmi_hypercall || !(leaf[0] & VMI_FEATURE_HYPERCALL) || !leaf[1])
		return 0;
	/* As the interrupt of the platform, which has no other here. */
	if (IS_ENABLED(CONFIG_X86_LOCAL_APIC) && leaf[0] & VMI_FEATURE_SERVE &&
	    !vmi_hypercall(VMI_HC_Upcall, X86_PLATFORM_IPI_VECTOR, 0, 0))
		x86_platform_ipi_callback = vmi_upcall;
	return misc_register(&vmi_device);
}
device_initcall(vmi_dev_init);
