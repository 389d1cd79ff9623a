//go:build faults

package web

import (
	"github.com/gin-gonic/gin"

	"checkout/common/clock"
	"checkout/common/failpoint"
)

// handleFaults adds internal routes that arm fail points and shift the clock, for fault tests.
func handleFaults(e *gin.Engine) {
	e.Use(dropLostReply)
	e.Any("/internal/failpoints", gin.WrapF(failpoint.Control))
	e.Any("/internal/clock", gin.WrapF(clock.Control))
}

// dropLostReply closes the connection without a response if a fail point discards the reply.
func dropLostReply(c *gin.Context) {
	defer func() {
		switch panicked := recover().(type) {
		case nil:
		case failpoint.LostReply:
			c.Abort()
			if conn, _, err := c.Writer.Hijack(); err == nil {
				conn.Close()
			}
		default:
			panic(panicked)
		}
	}()
	c.Next()
}
