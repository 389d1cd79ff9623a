package web

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
)

const (
	// startupTimeout is how long the public port stays closed at most because a dependency is unavailable.
	startupTimeout      = time.Second
	startupPollInterval = 5 * time.Millisecond
	healthcheckTimeout  = 2 * time.Second
	loopback            = "127.0.0.1"
	stopping            = "the instance is stopping"
)

// Readiness is the body of /readyz.
type Readiness struct {
	Ready       bool     `json:"ready"`
	Unavailable []string `json:"missing,omitempty"`
}

func alive(*gin.Context) (map[string]string, error) { return map[string]string{"status": "alive"}, nil }

// HandleReadiness adds /readyz to the internal port. It responds with 200 if unavailable returns nothing, and with 503
// and the list otherwise, or while the instance stops.
//
// Serve opens the public port when the instance is ready, or after a short wait once probed returns true: from then on,
// unavailable returns results of a first check.
func (s *Server) HandleReadiness(unavailable func() []string, probed func() bool) {
	s.unavailable, s.probed = unavailable, probed
	s.Internal.GET("/readyz", func(c *gin.Context) {
		problems := unavailable()
		if s.draining.Load() {
			problems = append(problems, stopping)
		}
		status := http.StatusOK
		if len(problems) > 0 {
			status = http.StatusServiceUnavailable
		}
		c.JSON(status, Readiness{Ready: len(problems) == 0, Unavailable: problems})
	})
}

// awaitReady waits until the instance is ready, so that it does not respond with 503 only because it has just started.
// After startupTimeout it stops waiting for unavailable dependencies, but never before the first check has a result.
func (s *Server) awaitReady(ctx context.Context) {
	if s.unavailable == nil {
		return
	}
	deadline := time.Now().Add(startupTimeout)
	poll := time.NewTicker(startupPollInterval)
	defer poll.Stop()
	for !s.probed() || len(s.unavailable()) > 0 && time.Now().Before(deadline) {
		select {
		case <-ctx.Done():
			return
		case <-poll.C:
		}
	}
}

// Healthcheck requests /readyz of an instance on this host. Containers without a shell run it as their health check. An
// empty host means loopback.
func Healthcheck(ctx context.Context, host string, internalPort int) error {
	if host == "" {
		host = loopback
	}
	ctx, cancel := context.WithTimeout(ctx, healthcheckTimeout)
	defer cancel()
	url := "http://" + net.JoinHostPort(host, strconv.Itoa(internalPort)) + "/readyz"
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("not ready: status %d", response.StatusCode)
	}
	return nil
}
