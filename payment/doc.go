// Payment keeps users. Each user has a credit and direct payments for orders. Payment is a participant of the checkout:
// attempts reserve credit here.
//
//	routes.go    every route
//	handlers.go  HTTP handlers
//	users.go     Redis schema of a user
//	direct.go    direct payments
//	orders.go    client of the order service
//
// Package common/participant has the counters and the steps of the protocol, for stock and payment. Package
// common/service has the code that all services share.
package main
