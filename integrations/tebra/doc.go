// Package tebra is the client of Tebra's (formerly Kareo's) SOAP API 2.1: scheduling, patients, directory.
package tebra
