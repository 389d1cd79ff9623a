// Stock is the service that stores items: their prices and their numbers of pieces. It is a participant in the
// checkout: attempts reserve pieces here.
//
//	routes.go    every route
//	handlers.go  HTTP handlers
//	items.go     Redis schema of an item
//
// Package common/participant has the code that stock and payment share: the counters and the steps of the protocol.
// Package common/service has the code that all services share.
package main
