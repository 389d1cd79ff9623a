package main

import (
	"log/slog"
	"strings"
	"testing"

	"checkout/common/service/servicetest"
	"checkout/test/contract"
)

func TestRoutesAreDocumented(t *testing.T) {
	contract.CheckRoutes(t, definition.Name, servicetest.New(t, definition, 1).Public.Routes())
}

// A checkout that gets 503 is logged with its order, its step and the cause.
func TestUnknownOutcomeOfACheckoutIsLogged(t *testing.T) {
	var log strings.Builder
	s := servicetest.New(t, definition, 1)
	const order = "01980c6e-0000-7000-8000-000000000000"
	s.Shards[0].Pause()
	previous := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	w := s.Call("POST", "/checkout/"+order)
	slog.SetDefault(previous)
	if w.Code != 503 {
		t.Fatalf("checkout: %d %s, want 503", w.Code, w.Body)
	}
	for line := range strings.Lines(log.String()) {
		if strings.Contains(line, `msg="request failed"`) && strings.Contains(line, "order="+order) &&
			strings.Contains(line, "step=begin") && strings.Contains(line, `cause="shard 0: `) {
			return
		}
	}
	t.Errorf("the log does not name the order, the step or the cause:\n%s", log.String())
}
