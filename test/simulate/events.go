package main

import (
	"slices"
	"time"
)

// clock is the simulated time, with the scheduled events.
type clock struct {
	now    time.Duration
	events []event // a binary heap, ordered by time and then by number
	number int
}

type event struct {
	at     time.Duration
	number int
	run    func()
}

func (e event) before(o event) bool { return e.at < o.at || e.at == o.at && e.number < o.number }

// after schedules a call of f at the time now + d.
func (c *clock) after(d time.Duration, f func()) {
	c.number++
	c.events = append(c.events, event{c.now + d, c.number, f})
	for i := len(c.events) - 1; i > 0; {
		parent := (i - 1) / 2
		if !c.events[i].before(c.events[parent]) {
			break
		}
		c.events[i], c.events[parent] = c.events[parent], c.events[i]
		i = parent
	}
}

// step runs the next event. The clock must have an event.
func (c *clock) step() {
	next, last := c.events[0], len(c.events)-1
	c.events[0], c.events[last] = c.events[last], event{}
	c.events = c.events[:last]
	for i := 0; ; {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < last; child++ {
			if c.events[child].before(c.events[least]) {
				least = child
			}
		}
		if least == i {
			break
		}
		c.events[i], c.events[least] = c.events[least], c.events[i]
		i = least
	}
	c.now = next.at
	next.run()
}

// host has processors that its processes share.
type host struct {
	*clock
	free  int           // number of free processors
	slice time.Duration // time for which a process keeps a processor while others wait
	ready []*process
}

// process is a thread of a service, nginx, Redis or the load generator.
type process struct {
	*host
	wake   time.Duration // processor time to wake up, added to the first task after an idle time
	delay  time.Duration // from a wake-up until the process may run
	disk   *disk         // of Redis; nil: none
	tasks  []task
	awake  bool
	until  time.Duration // end of the time slice
	used   time.Duration // processor time
	waited time.Duration // for the disk
}

type task struct {
	cost time.Duration
	done func()
}

// disk is the cost of an fsync: processor time (flush) and a wait (fsync).
type disk struct{ flush, fsync time.Duration }

// do adds a task to the process. The callback runs after the task or, if the process has a disk, after the fsync.
func (p *process) do(cost time.Duration, done func()) {
	if p.awake {
		p.tasks = append(p.tasks, task{cost, done})
		return
	}
	p.awake = true
	p.tasks = append(p.tasks, task{p.wake + cost, done})
	p.after(p.delay, func() {
		p.ready = append(p.ready, p)
		p.dispatch()
	})
}

// yieldTicks is the average number of tasks that run before a call of runtime.Gosched returns. Gosched puts its caller
// into the global queue, and Go's scheduler looks there only once in 61 tasks.
const yieldTicks = 31

// soon lets f run after at most yieldTicks other tasks.
func (p *process) soon(f func()) {
	if len(p.tasks) <= yieldTicks {
		p.do(0, f)
		return
	}
	p.tasks = slices.Insert(p.tasks, yieldTicks, task{0, f})
}

func (h *host) dispatch() {
	for h.free > 0 && len(h.ready) > 0 {
		p := h.ready[0]
		h.ready = h.ready[1:]
		h.free--
		p.until = h.now + h.slice
		p.run()
	}
}

func (p *process) run() {
	if p.disk != nil {
		p.runAll()
		return
	}
	next := p.tasks[0]
	p.tasks = p.tasks[1:]
	p.used += next.cost
	p.after(next.cost, func() {
		next.done()
		if len(p.tasks) > 0 && (p.now < p.until || len(p.ready) == 0) {
			p.run()
			return
		}
		p.yield()
	})
}

// runAll runs all tasks, frees the processor, and then waits for one fsync.
func (p *process) runAll() {
	all, cost := p.tasks, p.disk.flush
	p.tasks = nil
	for _, t := range all {
		cost += t.cost
	}
	p.used += cost
	p.waited += p.disk.fsync
	p.after(cost, func() {
		p.after(p.disk.fsync, func() {
			for _, t := range all {
				t.done()
			}
			p.again()
			p.dispatch()
		})
		p.free++
		p.dispatch()
	})
}

// yield frees the processor.
func (p *process) yield() {
	p.again()
	p.free++
	p.dispatch()
}

// p.again() queues the process for a processor if it has more tasks. Otherwise the process becomes idle.
func (p *process) again() {
	if p.awake = len(p.tasks) > 0; p.awake {
		p.ready = append(p.ready, p)
	}
}

// batcher collects items while a batch is in flight, like the pipelines and batchers of the services.
type batcher struct {
	sender   *process
	limit    int
	send     func(batch []int, done func()) // must call done when the next batch may be sent
	waiting  []int
	inFlight bool
	batches  int
	items    int
}

func (b *batcher) add(item int) {
	b.waiting = append(b.waiting, item)
	if !b.inFlight {
		b.inFlight = true
		b.sender.soon(b.next) // tasks that are ready may add items first
	}
}

func (b *batcher) next() {
	n := min(len(b.waiting), b.limit)
	if b.inFlight = n > 0; !b.inFlight {
		return
	}
	batch := b.waiting[:n:n]
	b.waiting = b.waiting[n:]
	b.batches++
	b.items += n
	b.send(batch, b.next)
}
