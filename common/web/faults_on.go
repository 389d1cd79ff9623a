//go:build faults

package web

import (
	"github.com/gin-gonic/gin"

	"checkout/common/clock"
	"checkout/common/failpoint"
)

// handleFaults adds the internal routes by which tests arm fail points and shift the clock.
func handleFaults(e *gin.Engine) {
	e.Use(dropLostReply)
	e.Any("/internal/failpoints", gin.WrapF(failpoint.Control))
	e.Any("/internal/clock", gin.WrapF(clock.Control))
}

// dropLostReply closes the connection instead of responding if a fail point loses the reply.
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
