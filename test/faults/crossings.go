package main

import (
	"slices"
	"strings"
	"time"
)

// crossing is one fail point, and how to get there.
type crossing struct {
	name    string // in the report
	point   string
	service string               // whose machines have it
	kind    kind                 // of the basket whose order comes by
	about   func(*basket) string // by which its message is told from others
	after   string               // the coordinator's point at which that one is stopped for good; empty: it is not
}

// pause is longer than what keeps others from doing the same work: a lease of 5 s, a claim of at most 2.5 s by who mends, one of 10 s by
// who confirms. A coordinator then still has time to go on, of its 12 s.
func (c crossing) pause() time.Duration {
	switch {
	case c.after != "":
		return 4 * time.Second
	case c.service == "order" && strings.HasPrefix(c.name, "recovery "):
		return 11 * time.Second
	}
	return 7 * time.Second
}

func byOrder(b *basket) string { return b.Order }
func byUser(b *basket) string  { return b.User }
func byItem(b *basket) string  { return b.items[0] }
func byAny(*basket) string     { return "" } // confirmations travel together, by attempts that nobody knows beforehand

// crossings are all fail points: every numbered step of coordinator, recovery and participant.
func crossings() []crossing {
	var all []crossing
	order := func(role, after string, k kind, steps ...string) {
		for _, step := range steps {
			all = append(all, crossing{name: role + " " + step, point: role + " " + step, service: "order", kind: k, about: aboutOf(step), after: after})
		}
	}
	order("coordinator", "", sells, "begin", "reserve payment", "reserve stock", "commit")
	order("coordinator", "", noCredit, "refuse")
	order("coordinator", "", noStock, "abort", "release stock", "release payment", "close")
	order("coordinator", "", cancels, "cancel", "refund stock", "refund payment", "cancelled")
	for _, service := range []string{"stock", "payment"} {
		about := map[string]func(*basket) string{"stock": byItem, "payment": byUser}[service]
		for _, step := range []struct {
			name  string
			kind  kind
			about func(*basket) string
		}{{"reserve", sells, about}, {"release", noStock, about}, {"refund", cancels, about}, {"confirm", sells, byAny}} {
			for _, far := range []string{"received", "done"} {
				all = append(all, crossing{
					name: service + " " + step.name + " " + far, point: "participant " + step.name + " " + far,
					service: service, kind: step.kind, about: step.about,
				})
			}
		}
	}
	order("recovery", "coordinator reserve stock", sells, "claim", "abort", "release stock", "release payment", "close")
	order("recovery", "coordinator cancel", cancels, "refund stock", "refund payment", "cancelled")
	order("recovery", "", sells, "take_unconfirmed", "confirm stock", "confirm payment", "confirmed")
	return all
}

// aboutOf is by what a step's message can be told: the order's own scripts name the order, the messages to a participant do not.
func aboutOf(step string) func(*basket) string {
	switch {
	case slices.Contains([]string{"take_unconfirmed", "confirm stock", "confirm payment", "confirmed"}, step):
		return byAny
	case strings.HasSuffix(step, " payment"):
		return byUser
	case strings.HasSuffix(step, " stock"):
		return byItem
	}
	return byOrder
}

// aboutAt is likewise for a point of any service.
func aboutAt(service, point string) func(*basket) string {
	switch _, step, _ := strings.Cut(point, " "); service {
	case "payment":
		return byUser
	case "stock":
		return byItem
	default:
		return aboutOf(step)
	}
}
