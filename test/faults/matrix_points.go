package main

import (
	"slices"
	"strings"
	"time"
)

// matrixPoint is a fail point and the kind of order that reaches it.
type matrixPoint struct {
	name    string // name in the report
	point   string
	service string                  // service with the fail point
	kind    kind                    // kind of the order that reaches the point
	about   func(*testOrder) string // returns the string that identifies the order's message at the point
	after   string                  // fail point at which the order's coordinator is paused first; "" for none
}

// pause returns how long to pause at the point: longer than the lease or claim that protects the step.
func (p matrixPoint) pause() time.Duration {
	switch {
	case p.after != "":
		return 4 * time.Second // recovery's first claim on an order lasts up to 2.5 s
	case strings.HasPrefix(p.name, "recovery ") || strings.Contains(p.name, " confirm "):
		return 11 * time.Second // a confirmation worker's claim lasts 10 s
	}
	return 7 * time.Second // longer than a lease (5 s), shorter than a coordinator's total budget (12 s)
}

func aboutOrder(o *testOrder) string { return o.Order }
func aboutUser(o *testOrder) string  { return o.User }
func aboutItem(o *testOrder) string  { return o.items[0] }

// aboutAny returns "", which matches every message. Confirmations use aboutAny, because a batch confirms attempts
// that are not known in advance.
func aboutAny(*testOrder) string { return "" }

// matrixPoints returns the fail points at each step of coordinator, recovery and participant.
func matrixPoints() []matrixPoint {
	var all []matrixPoint
	order := func(role, after string, k kind, steps ...string) {
		for _, step := range steps {
			name := role + " " + step
			all = append(all, matrixPoint{
				name: name, point: name, service: "order", kind: k, about: aboutOf("order", name), after: after,
			})
		}
	}
	order("coordinator", "", kindPaid, "begin", "reserve payment", "reserve stock", "commit")
	order("coordinator", "", kindNoCredit, "refuse")
	order("coordinator", "", kindNoStock, "abort", "release stock", "release payment", "close")
	order("coordinator", "", kindCancelled, "cancel", "refund stock", "refund payment", "cancelled")
	for _, service := range []string{"stock", "payment"} {
		about := aboutOf(service, "")
		for _, step := range []struct {
			name  string
			kind  kind
			about func(*testOrder) string
		}{
			{"reserve", kindPaid, about}, {"release", kindNoStock, about},
			{"refund", kindCancelled, about}, {"confirm", kindPaid, aboutAny},
		} {
			for _, when := range []string{"received", "done"} {
				all = append(all, matrixPoint{
					name: service + " " + step.name + " " + when, point: "participant " + step.name + " " + when,
					service: service, kind: step.kind, about: step.about,
				})
			}
		}
	}
	order("recovery", "coordinator reserve stock", kindPaid, "claim", "abort", "release stock", "release payment", "close")
	order("recovery", "coordinator cancel", kindCancelled, "refund stock", "refund payment", "cancelled")
	order("recovery", "", kindPaid, "take_unconfirmed", "confirm stock", "confirm payment", "confirmed")
	return all
}

// aboutOf returns the field "about" of a matrixPoint. A call of an order script contains the ID of the order. A message
// to payment contains the ID of the user, and a message to stock the ID of the item.
func aboutOf(service, point string) func(*testOrder) string {
	_, step, _ := strings.Cut(point, " ")
	switch {
	case service == "payment":
		return aboutUser
	case service == "stock":
		return aboutItem
	case slices.Contains([]string{"take_unconfirmed", "confirm stock", "confirm payment", "confirmed"}, step):
		return aboutAny
	case strings.HasSuffix(step, " payment"):
		return aboutUser
	case strings.HasSuffix(step, " stock"):
		return aboutItem
	}
	return aboutOrder
}
