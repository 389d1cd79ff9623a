package service_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"checkout/common/api"
	"checkout/common/env"
	"checkout/common/events"
	"checkout/common/service/servicetest"
)

func overviewOf(t *testing.T, i *servicetest.Instance, path string) api.Overview {
	t.Helper()
	var o api.Overview
	w := i.Call("GET", path)
	if err := json.Unmarshal(w.Body.Bytes(), &o); err != nil || w.Code != 200 {
		t.Fatalf("GET %s: got %d %s and the error %v, want 200 and an overview", path, w.Code, w.Body, err)
	}
	return o
}

func TestOverviewListsEvents(t *testing.T) {
	t.Parallel()
	before := time.Now().UnixMilli()
	i := servicetest.New(t, definition, 1, func(c *env.Config) { c.Console, c.Instance, c.Instances = true, 2, 3 })
	o := overviewOf(t, i, "/overview")
	if len(o.Events) != 1 || o.Events[0].Kind != events.InstanceStarted || o.Events[0].Service != "stock" {
		t.Errorf("after the start: got the events %+v, want only %s", o.Events, events.InstanceStarted)
	}
	if o.StartedAt < before || o.Now < o.StartedAt || !strings.HasPrefix(i.Cluster.Incarnation(), o.Incarnation) ||
		len(o.Incarnation) != 8 {
		t.Errorf("got %+v, want StartedAt, Now and the first 8 characters of the incarnation %s", o,
			i.Cluster.Incarnation())
	}
	i.Cluster.Events().Add(api.Event{Kind: events.OrderUndecided, OrderID: "5", Detail: "locate 5"})
	last := o.Events[0].Sequence
	for path, want := range map[string]int{"?after=0": 2, "?after=1": 1, "?after=2": 0, "?after=3": 2, "?after=x": 2} {
		if o := overviewOf(t, i, "/overview/2"+path); len(o.Events) != want || last != 1 {
			t.Errorf("%s: got the events %+v, want %d events", path, o.Events, want)
		}
	}
	for _, number := range []string{"1", "3", "02", "+2", "x"} {
		i.Refuse(t, "GET", "/overview/"+number, api.RouteNotFound)
	}
}

func TestOverviewHidesOrdersIfTheConsoleIsDisabled(t *testing.T) {
	t.Parallel()
	i := servicetest.New(t, definition, 1)
	i.Cluster.Events().Add(api.Event{Kind: events.OrderUndecided, OrderID: "order-5", Detail: "locate order-5: failed"})
	for _, path := range []string{"/overview", "/overview/1"} {
		if e := overviewOf(t, i, path).Events[1]; e.OrderID != "" || e.Detail != "locate …: failed" {
			t.Errorf("%s: got the event %+v, want it without the order ID", path, e)
		}
	}
}
