package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"
	"unsafe"
)

const (
	dialTimeout     = 5 * time.Second
	responseTimeout = 20 * time.Second // longer than the gateway waits for an instance (15 s)
	checkEvery      = 200 * time.Millisecond
	bufferSize      = 4 << 10 // initial size in bytes; a longer response enlarges the buffer
	maxEvents       = 256
)

// work is a source of requests and a receiver of their results. Only one goroutine calls its methods.
type work interface {
	// next appends the next request to buf. It returns the extended buffer and a tag for the request. If no request is
	// left, the third result is false.
	next(buf []byte) (request []byte, tag int, ok bool)
	// done receives the result of the request with this tag. The response body is valid until this method
	// returns.
	done(tag int, r result)
}

// result is the outcome of one request.
type result struct {
	response
	latency time.Duration // from the send, or in an open loop from the due time, to the end of the response
	err     error         // the connection broke, or the request timed out
}

// driver is a set of clients, each with one keep-alive connection. One thread serves all clients, because one
// goroutine per client would take more processor time from the system under test.
type driver struct {
	addr     string // host:port
	timeout  time.Duration
	epoll    int
	clients  []*client
	inFlight int
	pace     *pace // nil in a closed loop
}

// client is one client and its connection.
type client struct {
	file *os.File // keeps fd open
	fd   int
	in   []byte // receive buffer
	have int    // number of bytes of an incomplete response in the buffer
	out  []byte
	sent time.Time // send time, or due time in an open loop; zero if no request is in flight
	tag  int
}

func newDriver(ctx context.Context, addr string, clients int) (_ *driver, err error) {
	d := &driver{addr: addr, timeout: responseTimeout, clients: make([]*client, clients)}
	if d.epoll, err = syscall.EpollCreate1(syscall.EPOLL_CLOEXEC); err != nil {
		return nil, fmt.Errorf("create epoll: %w", err)
	}
	for i := range d.clients {
		d.clients[i] = &client{in: make([]byte, bufferSize)}
		if err := d.dial(ctx, i); err != nil {
			return nil, errors.Join(err, d.close())
		}
	}
	return d, nil
}

// dial replaces the connection of client i.
func (d *driver) dial(ctx context.Context, i int) error {
	c := d.clients[i]
	if err := c.close(); err != nil {
		return err
	}
	dialer := net.Dialer{Timeout: dialTimeout}
	stream, err := dialer.DialContext(ctx, "tcp", d.addr) // sets TCP_NODELAY
	if err != nil {
		return err
	}
	defer stream.Close()
	if c.file, err = stream.(*net.TCPConn).File(); err != nil {
		return err
	}
	c.fd = int(c.file.Fd())
	if err := syscall.SetNonblock(c.fd, true); err != nil {
		return fmt.Errorf("set connection non-blocking: %w", err)
	}
	event := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(i)} // Fd holds the client's index, not c.fd
	if err := syscall.EpollCtl(d.epoll, syscall.EPOLL_CTL_ADD, c.fd, &event); err != nil {
		return fmt.Errorf("add connection to epoll: %w", err)
	}
	c.have = 0
	return nil
}

// close closes the connection. The kernel then removes the connection from epoll.
func (c *client) close() error {
	if c == nil || c.file == nil {
		return nil
	}
	err := c.file.Close()
	c.file = nil
	return err
}

func (d *driver) close() error {
	errs := []error{syscall.Close(d.epoll)}
	for _, c := range d.clients {
		errs = append(errs, c.close())
	}
	return errors.Join(errs...)
}

// run sends requests until no work is left and every request has a result. It replaces broken connections. If a dial
// fails or ctx ends, run returns an error, and the driver cannot be used again.
func (d *driver) run(ctx context.Context, w work) error {
	for range 1 + len(d.clients)/maxEvents { // detect connections that the server has closed since the last run
		if err := d.poll(ctx, w, 0); err != nil {
			return err
		}
	}
	d.pace.begin()
	for i := range d.clients {
		d.send(i, w)
	}
	checked := time.Now()
	for d.inFlight > 0 || d.pace.left() {
		wait := checkEvery
		if d.pace != nil {
			wait = min(wait, d.sendDue(w))
		}
		if err := d.poll(ctx, w, wait); err != nil {
			return err
		}
		now := time.Now()
		if now.Sub(checked) < checkEvery {
			continue
		}
		checked = now
		if err := d.expire(ctx, w, now); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return nil
}

// poll waits for responses and receives them.
func (d *driver) poll(ctx context.Context, w work, wait time.Duration) error {
	var events [maxEvents]syscall.EpollEvent
	n, err := epollWait(d.epoll, events[:], wait)
	if err != nil && !errors.Is(err, syscall.EINTR) {
		return fmt.Errorf("wait for responses: %w", err)
	}
	for i := range n {
		if err := d.receive(ctx, int(events[i].Fd), w); err != nil {
			return err
		}
	}
	return nil
}

// send sends the next request, if any, on the connection of client i. In an open loop, the client stays idle if no
// request is due.
func (d *driver) send(i int, w work) {
	c, start := d.clients[i], time.Now()
	if d.pace != nil {
		var due bool
		if start, due = d.pace.take(start); !due {
			d.pace.idle = append(d.pace.idle, i)
			return
		}
	}
	request, tag, ok := w.next(c.out[:0])
	if !ok {
		return
	}
	c.out, c.tag, c.sent = request, tag, start
	d.inFlight++
	if n, err := syscall.Write(c.fd, request); err != nil || n != len(request) {
		// An incomplete write means that the connection is broken, because a request always fits into an empty socket
		// buffer. After the shutdown, d.receive fails the request.
		_ = syscall.Shutdown(c.fd, syscall.SHUT_RDWR)
	}
}

// receive reads from the connection of client i. When the response is complete, the client sends its next request.
func (d *driver) receive(ctx context.Context, i int, w work) error {
	c := d.clients[i]
	n, err := syscall.Read(c.fd, c.in[c.have:])
	switch {
	case errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EINTR):
		return nil
	case err != nil:
		return d.fail(ctx, i, w, fmt.Errorf("read response: %w", err))
	case n == 0:
		return d.fail(ctx, i, w, errors.New("connection closed"))
	case c.sent.IsZero():
		return d.fail(ctx, i, w, errors.New("response without a request"))
	}
	c.have += n
	r, n, err := parseResponse(c.in[:c.have])
	switch {
	case err != nil:
		return d.fail(ctx, i, w, err)
	case n == 0:
		if c.have == len(c.in) {
			c.in = append(c.in, make([]byte, len(c.in))...)
		}
		return nil
	case n < c.have:
		return d.fail(ctx, i, w, errors.New("unexpected bytes after the response"))
	}
	latency := time.Since(c.sent)
	c.sent, c.have = time.Time{}, 0
	d.inFlight--
	w.done(c.tag, result{response: r, latency: latency})
	if r.closes {
		if err := d.dial(ctx, i); err != nil {
			return err
		}
	}
	d.send(i, w)
	return nil
}

// fail replaces the connection of client i. The request in flight, if any, gets the error as its result.
func (d *driver) fail(ctx context.Context, i int, w work, cause error) error {
	c := d.clients[i]
	sent := c.sent
	c.sent = time.Time{}
	if err := d.dial(ctx, i); err != nil {
		return errors.Join(cause, err)
	}
	if sent.IsZero() {
		return nil
	}
	d.inFlight--
	w.done(c.tag, result{err: cause})
	d.send(i, w)
	return nil
}

// expire fails the requests that have timed out.
func (d *driver) expire(ctx context.Context, w work, now time.Time) error {
	for i, c := range d.clients {
		if !c.sent.IsZero() && now.Sub(c.sent) > d.timeout {
			if err := d.fail(ctx, i, w, fmt.Errorf("no response within %v", d.timeout)); err != nil {
				return err
			}
		}
	}
	return nil
}

// sysEpollPwait2 is the system call number of epoll_pwait2(2) on amd64, arm64 and most other architectures. The call
// needs Linux 5.11.
const sysEpollPwait2 = 441

// epollWait differs from syscall.EpollWait in two ways:
//   - The timeout is not limited to whole milliseconds.
//   - The call does not notify Go's scheduler, because this would cost a third of the generator's time. The scheduler
//     interrupts a wait of more than 10 ms with a signal (error EINTR), so that other goroutines can run.
func epollWait(epoll int, events []syscall.EpollEvent, wait time.Duration) (int, error) {
	limit := syscall.NsecToTimespec(int64(max(wait, 0)))
	n, _, errno := syscall.RawSyscall6(sysEpollPwait2, uintptr(epoll), uintptr(unsafe.Pointer(unsafe.SliceData(events))),
		uintptr(len(events)), uintptr(unsafe.Pointer(&limit)), 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
