package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"
)

const (
	dialWithin   = 5 * time.Second
	answerWithin = 20 * time.Second // above the gateway's own limit of 15 s
	lookEvery    = 200 * time.Millisecond
	bufferSize   = 4 << 10 // bytes, at first
	eventsAtOnce = 256
)

// work is what the clients of a driver do. It is called by one goroutine only.
type work interface {
	// next appends a request to buf and gives it a tag; false says that there is none left.
	next(buf []byte) (request []byte, tag int, ok bool)
	// done is told the answer to the request with that tag. Its body is gone when done returns.
	done(tag int, a answer)
}

// answer is what became of a request.
type answer struct {
	response
	took time.Duration // from before it was sent, or in an open loop was to be sent, until the answer had been read
	err  error         // no answer came: the connection broke, or it took too long
}

// driver is a number of clients, each with a connection of its own that is kept alive, driven by one thread: a
// goroutine for each client would cost more of the processors that are to be measured.
type driver struct {
	addr     string        // host:port
	patience time.Duration // how long to wait for an answer
	epoll    int
	conns    []*conn
	now      int   // conns that wait for an answer
	pace     *pace // of an open loop; nil: each client sends its next request when it has its answer
}

// conn is the connection of one client.
type conn struct {
	file *os.File // holds fd open
	fd   int
	in   []byte // its length is what can be read at once
	have int    // bytes of an incomplete answer in it
	out  []byte
	sent time.Time // of the request in flight; zero: there is none
	tag  int
}

func newDriver(ctx context.Context, addr string, clients int) (_ *driver, err error) {
	d := &driver{addr: addr, patience: answerWithin, conns: make([]*conn, clients)}
	if d.epoll, err = syscall.EpollCreate1(syscall.EPOLL_CLOEXEC); err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	for i := range d.conns {
		d.conns[i] = &conn{in: make([]byte, bufferSize)}
		if err := d.dial(ctx, i); err != nil {
			return nil, errors.Join(err, d.close())
		}
	}
	return d, nil
}

// dial gives client i a new connection.
func (d *driver) dial(ctx context.Context, i int) error {
	c := d.conns[i]
	if err := c.close(); err != nil {
		return err
	}
	dialer := net.Dialer{Timeout: dialWithin}
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
		return fmt.Errorf("connection: %w", err)
	}
	event := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(i)} // Fd is what EpollWait gives back
	if err := syscall.EpollCtl(d.epoll, syscall.EPOLL_CTL_ADD, c.fd, &event); err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	c.have = 0
	return nil
}

// close ends the connection; epoll forgets it by itself.
func (c *conn) close() error {
	if c.file == nil {
		return nil
	}
	err := c.file.Close()
	c.file = nil
	return err
}

func (d *driver) close() error {
	errs := []error{syscall.Close(d.epoll)}
	for _, c := range d.conns {
		if c != nil {
			errs = append(errs, c.close())
		}
	}
	return errors.Join(errs...)
}

// run has all clients work until there is no work left and every answer is there. A connection that breaks is replaced;
// if that fails, or ctx ends, run gives up, and the driver must not be used again.
func (d *driver) run(ctx context.Context, w work) error {
	for range 1 + len(d.conns)/eventsAtOnce {
		if _, err := d.poll(ctx, w, 0); err != nil { // connections that were closed while nothing ran
			return err
		}
	}
	d.pace.begin()
	for i := range d.conns {
		d.send(i, w)
	}
	looked := time.Now()
	for d.now > 0 || d.pace.left() {
		wait := lookEvery
		if d.pace != nil {
			wait = min(wait, d.sendDue(w))
		}
		now, err := d.poll(ctx, w, wait)
		if err != nil {
			return err
		}
		if now.Sub(looked) < lookEvery {
			continue
		}
		looked = now
		if err := d.expire(ctx, w, now); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return nil
}

// poll handles what can be read, after waiting for it for a while, and returns the time.
func (d *driver) poll(ctx context.Context, w work, wait time.Duration) (time.Time, error) {
	var events [eventsAtOnce]syscall.EpollEvent
	n, err := epollWait(d.epoll, events[:], wait)
	if err != nil && !errors.Is(err, syscall.EINTR) {
		return time.Now(), fmt.Errorf("epoll: %w", err)
	}
	for i := range max(n, 0) {
		if err := d.receive(ctx, int(events[i].Fd), w); err != nil {
			return time.Now(), err
		}
	}
	return time.Now(), nil
}

// send has client i send its next request, if there is one.
func (d *driver) send(i int, w work) {
	c, start := d.conns[i], time.Now()
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
	d.now++
	n, err := syscall.Write(c.fd, request)
	if err == nil && n == len(request) {
		return
	}
	// A request is far smaller than the socket's buffer, which is empty: the connection is broken. receive will find it so.
	_ = syscall.Shutdown(c.fd, syscall.SHUT_RDWR)
}

// receive reads what has come for client i; when the answer is complete, the client sends its next request.
func (d *driver) receive(ctx context.Context, i int, w work) error {
	c := d.conns[i]
	n, err := syscall.Read(c.fd, c.in[c.have:])
	switch {
	case errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EINTR):
		return nil
	case err != nil:
		return d.broken(ctx, i, w, fmt.Errorf("receiving: %w", err))
	case n == 0:
		return d.broken(ctx, i, w, errors.New("the connection was closed"))
	case c.sent.IsZero():
		return d.broken(ctx, i, w, errors.New("an answer to no request"))
	}
	c.have += n
	r, n, err := parseResponse(c.in[:c.have])
	switch {
	case err != nil:
		return d.broken(ctx, i, w, err)
	case n == 0:
		if c.have == len(c.in) {
			c.in = append(c.in, make([]byte, len(c.in))...)
		}
		return nil
	case n < c.have:
		return d.broken(ctx, i, w, errors.New("more than an answer"))
	}
	took := time.Since(c.sent)
	c.sent, c.have = time.Time{}, 0
	d.now--
	w.done(c.tag, answer{response: r, took: took})
	if r.closes {
		if err := d.dial(ctx, i); err != nil {
			return err
		}
	}
	d.send(i, w)
	return nil
}

// broken replaces the connection of client i, whose request in flight, if any, gets no answer.
func (d *driver) broken(ctx context.Context, i int, w work, why error) error {
	c := d.conns[i]
	waited := !c.sent.IsZero()
	took := time.Since(c.sent)
	c.sent = time.Time{}
	if err := d.dial(ctx, i); err != nil {
		return errors.Join(why, err)
	}
	if !waited {
		return nil
	}
	d.now--
	w.done(c.tag, answer{took: took, err: why})
	d.send(i, w)
	return nil
}

// expire gives up the requests whose answer takes too long.
func (d *driver) expire(ctx context.Context, w work, now time.Time) error {
	for i, c := range d.conns {
		if !c.sent.IsZero() && now.Sub(c.sent) > d.patience {
			if err := d.broken(ctx, i, w, fmt.Errorf("no answer within %v", d.patience)); err != nil {
				return err
			}
		}
	}
	return nil
}
