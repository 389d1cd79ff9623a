// Payment is the service that stores users: their credit, and their direct payments for orders. It is a participant in
// the checkout: attempts reserve credit here.
//
//	routes.go    every route
//	handlers.go  HTTP handlers
//	users.go     Redis schema of a user
//	direct.go    direct payments
//	history.go   lists of payments
//	orders.go    client of the order service
//
// Package common/participant has the code that stock and payment share: the counters and the steps of the protocol.
// Package common/service has the code that all services share.
package main
