package main

import (
	"fmt"
	"html"
	"math"
	"os"
	"slices"
	"strings"
)

// chart is one picture: lines over a number that is on a logarithmic or a linear scale, or stacked bars.
type chart struct {
	title, x, y string
	labels      []string  // of the x axis
	at          []float64 // where they are, for lines; nil: side by side
	series      []series
	stacked     bool
}

type series struct {
	name   string
	values []float64 // one for each label; NaN: none
}

const (
	chartWidth, chartHeight           = 760.0, 420.0
	chartLeft, chartRight             = 80.0, 170.0
	chartTop, chartBottom             = 50.0, 60.0
	barShare                          = 0.6
	plotWidth, plotHeight             = chartWidth - chartLeft - chartRight, chartHeight - chartTop - chartBottom
	textStyle, titleStyle, faintColor = `font-family="sans-serif" font-size="12" fill="#333"`, `font-family="sans-serif" font-size="15" font-weight="bold" fill="#222"`, "#ddd"
)

// colors tell series apart, also for those who see few colors.
var colors = []string{"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#777777"}

// svg draws the chart.
func (c chart) svg() string {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" width="%.0f" height="%.0f">`+"\n", chartWidth, chartHeight, chartWidth, chartHeight)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="white"/>`+"\n")
	text := func(x, y float64, style, anchor, s string) {
		fmt.Fprintf(&b, `<text x="%.1f" y="%.1f" text-anchor="%s" %s>%s</text>`+"\n", x, y, anchor, style, html.EscapeString(s))
	}
	text(chartLeft, 26, titleStyle, "start", c.title)
	text(chartLeft+plotWidth/2, chartHeight-16, textStyle, "middle", c.x)
	fmt.Fprintf(&b, `<text transform="translate(20 %.1f) rotate(-90)" text-anchor="middle" %s>%s</text>`+"\n", chartTop+plotHeight/2, textStyle, html.EscapeString(c.y))
	step := niceStep(c.most())
	top := step * math.Ceil(c.most()/step)
	y := func(v float64) float64 { return chartTop + plotHeight*(1-v/top) }
	for v := 0.0; v <= top*1.001; v += step {
		fmt.Fprintf(&b, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s"/>`+"\n", chartLeft, y(v), chartLeft+plotWidth, y(v), faintColor)
		text(chartLeft-8, y(v)+4, textStyle, "end", number0(v))
	}
	for i, label := range c.labels {
		text(c.place(i), chartTop+plotHeight+20, textStyle, "middle", label)
	}
	for k, s := range c.series {
		color := colors[k%len(colors)]
		if c.stacked {
			c.bars(&b, k, color, y)
		} else {
			c.line(&b, s, color, y)
		}
		row := chartTop + 10 + 20*float64(k)
		if c.stacked { // as they lie on each other
			row = chartTop + 10 + 20*float64(len(c.series)-1-k)
		}
		fmt.Fprintf(&b, `<rect x="%.1f" y="%.1f" width="12" height="12" fill="%s"/>`+"\n", chartLeft+plotWidth+16, row-10, color)
		text(chartLeft+plotWidth+34, row, textStyle, "start", s.name)
	}
	b.WriteString("</svg>\n")
	return b.String()
}

func (c chart) line(b *strings.Builder, s series, color string, y func(float64) float64) {
	var points []string
	for i, v := range s.values {
		if math.IsNaN(v) {
			continue
		}
		points = append(points, fmt.Sprintf("%.1f,%.1f", c.place(i), y(v)))
		fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="3.5" fill="%s"/>`+"\n", c.place(i), y(v), color)
	}
	fmt.Fprintf(b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", strings.Join(points, " "), color)
}

func (c chart) bars(b *strings.Builder, k int, color string, y func(float64) float64) {
	width := barShare * plotWidth / float64(len(c.labels))
	for i, v := range c.series[k].values {
		below := 0.0
		for _, s := range c.series[:k] {
			below += s.values[i]
		}
		fmt.Fprintf(b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>`+"\n", c.place(i)-width/2, y(below+v), width, y(below)-y(below+v), color)
	}
}

// place is where the label i is, from the left.
func (c chart) place(i int) float64 {
	if c.at == nil || c.stacked {
		return chartLeft + plotWidth*(float64(i)+0.5)/float64(len(c.labels))
	}
	low, high := slices.Min(c.at), slices.Max(c.at)
	if high == low {
		return chartLeft + plotWidth/2
	}
	return chartLeft + plotWidth*(0.04+0.92*(c.at[i]-low)/(high-low))
}

// most is the largest value.
func (c chart) most() float64 {
	most := 0.0
	for i := range c.labels {
		sum := 0.0
		for _, s := range c.series {
			switch v := s.values[i]; {
			case math.IsNaN(v):
			case c.stacked:
				sum += v
				most = max(most, sum)
			default:
				most = max(most, v)
			}
		}
	}
	return max(most, 1e-9)
}

// niceStep is a round step of which four to ten make the largest value.
func niceStep(most float64) float64 {
	step := math.Pow(10, math.Floor(math.Log10(most)))
	for most/step < 4 {
		step /= 2
	}
	return step
}

func number0(v float64) string {
	if v == math.Trunc(v) {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.4g", v)
}

func (c chart) write(file string) error { return os.WriteFile(file, []byte(c.svg()), 0o644) }
