package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// Checkouts that the gateway retries: the first instance is paused, another one refuses the checkout, and the first
// resumes when there is credit. The test plays the gateway, to avoid its timeout of 15 s.
var (
	// The first instance does not notice that its client disconnected.
	instanceWakesAfterRefusal = &interleaving{"an instance resumes a checkout that another one refused",
		func(ctx context.Context, s *rig) error { return s.resumeRefused(ctx, false, 'a', 'a') }}

	// The first instance notices. The client has sent a second request meanwhile, so that the first is not the last
	// that was refused.
	instanceWakesAfterTwoRefusals = &interleaving{"an instance resumes a checkout after two refusals elsewhere",
		func(ctx context.Context, s *rig) error { return s.resumeRefused(ctx, true, 'a', 'a', 'b') }}
)

// resumeRefused pauses the first instance of order with a request, makes the second one refuse requests, and resumes
// the first. The letters name the requests. With disconnect, the first instance learns that its client disconnected.
func (s *rig) resumeRefused(ctx context.Context, disconnect bool, first rune, refused ...rune) error {
	const header = "X-Checkout-Id"
	requestID := func(letter rune) string { return strings.Repeat(string(letter), 32) }
	o, err := s.create(ctx, kindNoCredit)
	if err != nil {
		return err
	}
	if err := s.Pause("order-1"); err != nil {
		return err
	}
	urls := s.PublicURLs("order")
	paused, err := net.Dial("tcp", strings.TrimPrefix(urls[0], "http://"))
	if err != nil {
		return errors.Join(err, s.Resume("order-1"))
	}
	defer paused.Close()
	_, err = fmt.Fprintf(paused, "POST /checkout/%s HTTP/1.1\r\nHost: x\r\n%s: %s\r\nContent-Length: 0\r\n\r\n",
		o.Order, header, requestID(first))
	if disconnect {
		paused.Close()
	}
	for i := 0; err == nil && i < len(refused); i++ {
		a := s.Call("POST", urls[1]+"/checkout/"+o.Order, header, requestID(refused[i]))
		o.Checkouts = append(o.Checkouts, a)
		if a.Status != http.StatusPaymentRequired {
			err = fmt.Errorf("checkout without credit: %v, want 402", a)
		}
	}
	if err == nil {
		err = s.addFunds(o)
	}
	if err := errors.Join(err, s.Resume("order-1")); err != nil {
		return err
	}
	if disconnect {
		sleep(ctx, time.Second)
		return nil
	}
	paused.SetReadDeadline(time.Now().Add(eventTimeout))
	_, err = io.ReadFull(paused, make([]byte, 1)) // the response says that the order is decided
	return err
}
