package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// table writes the header of a table.
func table(w *strings.Builder, header string) {
	fmt.Fprintf(w, "| %s |\n| --- %s|\n", header, strings.Repeat("| ---: ", strings.Count(header, "|")))
}

// cells writes a row of a table, with durations in ms and float64 numbers without decimals. A duration or
// float64 of 0 means unknown and appears as "-".
func cells(w *strings.Builder, row ...any) {
	for _, cell := range row {
		switch v := cell.(type) {
		case float64:
			if cell = "-"; v != 0 {
				cell = fmt.Sprintf("%.0f", v)
			}
		case time.Duration:
			if cell = "-"; v != 0 {
				cell = ms(v)
			}
		}
		fmt.Fprintf(w, "| %v ", cell)
	}
	fmt.Fprintln(w, "|")
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func ms(d time.Duration) string { return fmt.Sprintf("%.2f", milliseconds(d)) }

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// chart writes a Mermaid chart, which GitHub draws. With fewer than two points, chart writes nothing. Each function
// in y returns the height of one line of the chart at a point.
func chart(w *strings.Builder, title, xTitle, yTitle string, points []*point,
	x func(*point) int, y ...func(*point) float64) {
	if len(points) < 2 {
		return
	}
	var labels []string
	for _, p := range points {
		labels = append(labels, strconv.Quote(strconv.Itoa(x(p))))
	}
	top, lines := 0.0, ""
	for _, of := range y {
		var values []string
		for _, p := range points {
			top = max(top, of(p))
			values = append(values, fmt.Sprintf("%.1f", of(p)))
		}
		lines += fmt.Sprintf("    line [%s]\n", strings.Join(values, ", "))
	}
	fmt.Fprintf(w, "\n```mermaid\n"+
		`%%%%{init: {"themeVariables": {"xyChart": {"plotColorPalette": "#0072b2, #d55e00"}}}}%%%%`+
		"\nxychart-beta\n    title %q\n    x-axis %q [%s]\n    y-axis %q 0 --> %.0f\n%s```\n",
		title, xTitle, strings.Join(labels, ", "), yTitle, math.Ceil(top), lines)
}
