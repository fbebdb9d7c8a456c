//go:build !race

package control_test

const raceOn = false
