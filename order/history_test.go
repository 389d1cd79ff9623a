package main

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"checkout/common/api"
	"checkout/common/env"
	"checkout/common/service/servicetest"
)

// historyOf reads the history of an order and checks that since_ms is plausible. It returns the history without
// since_ms.
func historyOf(t *testing.T, s *servicetest.Instance, id string) (h api.OrderHistory) {
	t.Helper()
	w := s.Call("GET", "/history/"+id)
	if err := json.Unmarshal(w.Body.Bytes(), &h); err != nil || w.Code != 200 {
		t.Fatalf("history: got %d %s, %v; want 200", w.Code, w.Body, err)
	}
	if waits := h.WaitingFor; waits != nil {
		if waits.SinceMS < 5000 || waits.SinceMS > 60_000 {
			t.Errorf("history: got since_ms %d, want 5000 to 60000", waits.SinceMS)
		}
		waits.SinceMS = 0
	}
	return h
}

func TestHistory(t *testing.T) {
	t.Parallel()
	s := servicetest.New(t, definition, 1)
	s.Refuse(t, "GET", "/history/7", api.OrderNotFound)
	s.Refuse(t, "GET", "/history/01a20ac5-5153-749e-8e14-d4476ca60000", api.OrderNotFound)
	var order created
	json.Unmarshal(s.Call("POST", "/create/U").Body.Bytes(), &order)
	s.Want(t, "GET", "/history/"+order.OrderID,
		`{"order_id":"`+order.OrderID+`","status":"OPEN","events":[],"truncated":false,"waiting_for":null}`)

	const attempt, trace = "f98579a8-b250-477b-9d1c-62a4c05e7f13", "0af7651916cd43dd8448eb211c80319c"
	began := time.Now().UnixMilli() - 5000
	key := s.Cluster.Shards()[0].Key("o:" + order.OrderID)
	set := func(values ...any) { s.Shards[0].Client.HSet(t.Context(), key, values...) }
	set("s", "ABORTING", "a", attempt, "by", "0b1c2d3e", "dl", began+30_000, "lease", began+5000, "h", "BAi3,9",
		"tp", attempt+" 00-"+trace+"-00f067aa0ba902b7-01")
	event := api.OrderEvent{At: began, Event: "begin", Attempt: attempt, By: "0b1c2d3e"}
	reserved, aborting := event, event
	reserved.At, reserved.Event = began+3, "credit_reserved"
	aborting.At, aborting.Event, aborting.Reason = began+9, "aborting", "item-not-found"
	want := api.OrderHistory{
		OrderID: order.OrderID, Status: "ABORTING", Events: []api.OrderEvent{event, reserved, aborting},
		WaitingFor: &api.Waiting{Step: "release", By: "0b1c2d3e"}, TraceID: trace,
	}
	if got := historyOf(t, s, order.OrderID); !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v, want\n%+v", got, want)
	}

	by := s.Cluster.Incarnation()[:8] // this instance works on the order, but has not tried a step yet
	set("s", "REFUNDING", "by", by, "h", "!F", "tp", "another "+trace)
	want.Status, want.Truncated, want.TraceID = "REFUNDING", true, ""
	want.Events = []api.OrderEvent{{At: began, Event: "refunding", Attempt: attempt, By: by, Instance: "1/1"}}
	want.WaitingFor = &api.Waiting{Step: "refund", By: by}
	if got := historyOf(t, s, order.OrderID); !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v, want\n%+v", got, want)
	}
	disabled := func(c *env.Config) { c.Lists = false }
	servicetest.New(t, definition, 1, disabled).Refuse(t, "GET", "/history/"+order.OrderID, api.ListsDisabled)
}
