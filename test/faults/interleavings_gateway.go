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

// Interleavings that retries of the gateway can cause. The test sends the requests directly to the instances, because
// the gateway would wait 15 s for the paused instance before each retry.
var (
	// The client is still connected when the first instance resumes.
	instanceResumesAfterRefusal = &interleaving{"an instance resumes a checkout that another one refused",
		func(ctx context.Context, s *rig) error { return s.resumeRefused(ctx, false, 'a', 'a') }}

	// The client of the paused instance disconnects. The second instance refuses the retry and a new request. Then the
	// first instance resumes.
	instanceResumesAfterTwoRefusals = &interleaving{"an instance resumes a checkout after two refusals elsewhere",
		func(ctx context.Context, s *rig) error { return s.resumeRefused(ctx, true, 'a', 'a', 'b') }}
)

// resumeRefused sends checkouts of one order to two instances:
//  1. It pauses the first instance, and sends the request "first" to it. If disconnect is true, the client disconnects.
//  2. It sends the requests "refused" to the second instance, which responds with 402 for lack of credit.
//  3. It adds credit, and resumes the first instance.
//
// A rune stands for the name of a request. A request with the same rune as an earlier one is its retry.
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
	_, err = io.ReadFull(paused, make([]byte, 1)) // after the response, the order is decided
	return err
}
