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
	// startupTimeout is the longest time that the public port stays closed because a dependency is unavailable.
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

// HandleReadiness adds the route /readyz to the internal port. The route responds with 200 if unavailable returns an
// empty list. Otherwise, and while the instance stops, it responds with 503 and the list.
//
// Serve opens the public port when unavailable returns an empty list, or after startupTimeout. It opens the port only
// after probed has returned true: before that, unavailable has no results of health checks.
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

// awaitReady delays the opening of the public port, so that a new instance does not respond with 503. It waits until
// all first health checks are complete. If dependencies are unavailable, it waits for them, at most for startupTimeout.
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

// Healthcheck requests /readyz from the instance on this host and returns an error if the instance is not ready.
// Containers use it as their health check, because they have no shell. An empty host means loopback.
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
		return fmt.Errorf("%s: not ready: status %d", url, response.StatusCode)
	}
	return nil
}
