package stack

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

const readyEvery = 50 * time.Millisecond

// WaitReady waits until every machine's /readyz says 200 and the gateway reaches every service. It fails when ctx ends,
// with what is not ready and what its log said last, and at once when a part has ended.
func (s *Stack) WaitReady(ctx context.Context) error {
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for _, p := range s.parts {
		if _, ok := s.readyURL(p.name); ok {
			if err := s.waitFor(ctx, client, p); err != nil {
				return err
			}
		}
	}
	gateway := s.byName[gatewayName]
	for _, route := range []string{"/orders/", "/stock/", "/payment/"} {
		if err := s.poll(ctx, client, gateway, s.Gateway()+route); err != nil {
			return err
		}
	}
	return nil
}

// readyURL is where a machine says whether it is ready; other parts have no such place.
func (s *Stack) readyURL(name string) (string, bool) {
	for _, service := range Services() {
		for i, url := range s.InternalURLs(service) {
			if name == machineName(service, i+1) {
				return url + "/readyz", true
			}
		}
	}
	return "", false
}

func (s *Stack) waitFor(ctx context.Context, client *http.Client, p *part) error {
	url, _ := s.readyURL(p.name)
	return s.poll(ctx, client, p, url)
}

// poll asks url, which p answers, until it says 200.
func (s *Stack) poll(ctx context.Context, client *http.Client, p *part, url string) error {
	tick := time.NewTicker(readyEvery)
	defer tick.Stop()
	for {
		err := get(ctx, client, url)
		if err == nil {
			return nil
		}
		if !p.current().running() {
			return fmt.Errorf("%s is not running; its log ends with:\n%s", p.name, p.tail(15))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w (%w); its log ends with:\n%s", p.name, err, context.Cause(ctx), p.tail(15))
		case <-tick.C:
		}
	}
}

func get(ctx context.Context, client *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 4096))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s: %s", url, resp.Status, strings.TrimSpace(string(body)))
	}
	return err
}
