// Payment keeps users: a credit each, and what each paid directly for an order. It is a participant of the checkout:
// attempts reserve credit here.
//
//	routes.go    every route
//	handlers.go  HTTP handlers
//	users.go     Redis schema of a user
//	direct.go    direct payments
//	orders.go    calls of the order service
//
// Counters and the steps of the protocol are in common/participant, shared with stock. What all services share is in
// common/service.
package main
