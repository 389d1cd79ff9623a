package stack

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

const readyInterval = 50 * time.Millisecond

// WaitReady waits until /readyz of every instance and keeper responds with 200 and the gateway reaches every service.
// If ctx ends or a component exits first, WaitReady returns an error with the name of the component that is not ready
// and the end of its log.
func (s *Stack) WaitReady(ctx context.Context) error {
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for _, c := range s.components {
		if c.ready == "" {
			continue
		}
		if err := c.waitReady(ctx, client, c.ready); err != nil {
			return err
		}
	}
	for _, route := range []string{"/orders/", "/stock/", "/payment/"} {
		if err := s.byName[gatewayName].waitReady(ctx, client, s.Gateway()+route); err != nil {
			return err
		}
	}
	return nil
}

// waitReady requests a URL of a component until the status is 200.
func (c *component) waitReady(ctx context.Context, client *http.Client, url string) error {
	tick := time.NewTicker(readyInterval)
	defer tick.Stop()
	for {
		err := get(ctx, client, url)
		if err == nil {
			return nil
		}
		if !c.process().running() {
			return fmt.Errorf("%s is not running; its log ends with:\n%s", c.name, c.tail(15))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w (%w); its log ends with:\n%s",
				c.name, err, context.Cause(ctx), c.tail(15))
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
