package web

import (
	"context"
	"encoding/json"
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
	livenessPath        = "/healthz"
	readinessPath       = "/readyz"
	instancePath        = readinessPath + "/instance"
	stopping            = "the instance is stopping"
)

// Starting is the problem of an instance that has not completed its first health checks, or has not opened its public
// port.
const Starting = "the instance is starting"

// Readiness is the body of /readyz and /readyz/instance.
type Readiness struct {
	Ready       bool     `json:"ready"`
	Unavailable []string `json:"missing,omitempty"`
}

func alive(*gin.Context) (map[string]string, error) { return map[string]string{"status": "alive"}, nil }

// HandleReadiness adds two routes to the internal and the monitoring port. Each responds with 200, or with 503 and a
// list of problems. While the instance stops, both respond with 503.
//
//   - /readyz lists what unavailable returns: problems of everything that the instance needs.
//   - /readyz/instance lists what unfit returns: problems that only this instance has. It also responds with 503 until
//     the instance opens its public port. See docs/adr/0023-instances-are-deployments.md.
//
// Serve opens the public port when both conditions are met:
//   - Each health check has a result: probed returns true.
//   - unavailable returns an empty list, or startupTimeout has passed.
//
// If the instance must stop earlier, Serve opens the port too, so that waiting requests get a response, not a reset.
func (s *Server) HandleReadiness(unavailable, unfit func() []string, probed func() bool) {
	s.unavailable, s.probed = unavailable, probed
	for path, problems := range map[string]func() []string{
		readinessPath: unavailable,
		instancePath: func() []string {
			if !s.open.Load() {
				return append(unfit(), Starting)
			}
			return unfit()
		},
	} {
		readiness := func(c *gin.Context) {
			list := problems()
			if s.draining.Load() {
				list = append(list, stopping)
			}
			status := http.StatusOK
			if len(list) > 0 {
				status = http.StatusServiceUnavailable
			}
			body, _ := json.Marshal(Readiness{Ready: len(list) == 0, Unavailable: list})
			Send(c, status, jsonUTF8, body)
		}
		s.Internal.GET(path, readiness)
		s.Monitoring.GET(path, readiness)
	}
}

// awaitReady delays the opening of the public port, so that a new instance does not respond with 503. It waits until
// all first health checks are complete. If dependencies are unavailable, awaitReady also waits for these
// dependencies, for at most startupTimeout.
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

// Healthcheck requests /readyz from the given host and port, and returns an error unless the status is 200. An empty
// host means loopback. Containers use Healthcheck as their health check, because the images contain no shell.
func Healthcheck(ctx context.Context, host string, internalPort int) error {
	if host == "" {
		host = loopback
	}
	ctx, cancel := context.WithTimeout(ctx, healthcheckTimeout)
	defer cancel()
	url := "http://" + net.JoinHostPort(host, strconv.Itoa(internalPort)) + readinessPath
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // ignores the environment's proxy
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: not ready: status %d", url, response.StatusCode)
	}
	return nil
}
