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

// Readiness is the body of /readyz.
type Readiness struct {
	Ready   bool     `json:"ready"`
	Missing []string `json:"missing,omitempty"`
}

// Ready adds /readyz to the internal door: 200 when missing returns nothing, else 503 with what it returns. A machine that
// drains is not ready. The public door opens when nothing is missing, or it is known to be away: not before heard returns true.
func (s *Server) HandleReadiness(missing func() []string, heard func() bool) {
	s.missing, s.heard = missing, heard
	s.Internal.GET("/readyz", func(c *gin.Context) {
		found := missing()
		if s.draining.Load() {
			found = append(found, "the machine is stopping")
		}
		status := http.StatusOK
		if len(found) > 0 {
			status = http.StatusServiceUnavailable
		}
		c.JSON(status, Readiness{Ready: len(found) == 0, Missing: found})
	})
}

// openWithin is how long callers who come while a machine starts may wait for what is away to come.
const openWithin = time.Second

// awaitReady returns when nothing is missing: the first moment of a machine is no reason to answer 503. What is still missing after
// openWithin is away, and callers are told so; but never by a machine that has asked nobody yet, however long a busy host lets it wait.
func (s *Server) awaitReady(ctx context.Context) {
	if s.missing == nil {
		return
	}
	until := time.Now().Add(openWithin)
	for ctx.Err() == nil && (!s.heard() || len(s.missing()) > 0 && time.Now().Before(until)) {
		time.Sleep(5 * time.Millisecond)
	}
}

// Healthcheck asks this machine's own internal door whether it is ready; containers that have no shell run it as a command.
func Healthcheck(ctx context.Context, bind string, internalPort int) error {
	if bind == "" {
		bind = "127.0.0.1"
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(bind, strconv.Itoa(internalPort))+"/readyz", nil)
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
