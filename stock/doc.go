// Stock keeps items: a price and a number of pieces each. It is a participant of the checkout: attempts reserve pieces
// here.
//
//	routes.go    every route
//	handlers.go  HTTP handlers
//	items.go     Redis schema of an item
//
// Counters and the steps of the protocol are in common/participant, shared with payment. What all services share is in
// common/service.
package main
