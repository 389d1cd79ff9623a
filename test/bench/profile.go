package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"

	"checkout/test/stack"
)

// profile checks more orders out, which do not count, and saves what the internal doors of all machines say of the
// processor time meanwhile: <service>-<machine>-c<clients>.pprof, for `go tool pprof`.
func (b *bench) profile(ctx context.Context, d *driver, at *point, dir string) error {
	n := max(int(at.work.rate()*profileFor.Seconds()*profileMargin), at.clients)
	b.live.say("%d clients: preparing %d orders for the profiles", at.clients, n)
	orders, err := b.fix.orders(ctx, n)
	if err != nil {
		return err
	}
	var saving sync.WaitGroup
	var errs []error
	var mu sync.Mutex
	for _, service := range stack.Services() {
		for i, door := range b.sys.stack.InternalURLs(service) {
			name := filepath.Join(dir, fmt.Sprintf("%s-%d-c%d.pprof", service, i+1, at.clients))
			saving.Go(func() {
				err := saveProfile(ctx, door, name)
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, err)
			})
		}
	}
	err = b.checkOut(ctx, d, orders, newPhase(n), at, "profiling")
	saving.Wait()
	if err := errors.Join(append(errs, err)...); err != nil {
		return err
	}
	return b.verify(ctx, at, orders)
}

// saveProfile asks an internal door for a profile of the next seconds.
func saveProfile(ctx context.Context, door, name string) error {
	ctx, cancel := context.WithTimeout(ctx, profileFor+answerWithin)
	defer cancel()
	url := fmt.Sprintf("%s/debug/pprof/profile?seconds=%.0f", door, profileFor.Seconds())
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	profile, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d: %s", response.StatusCode, clip(profile))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", url, err)
	}
	return os.WriteFile(name, profile, 0o644)
}
