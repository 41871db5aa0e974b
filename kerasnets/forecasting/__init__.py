"""Forecasts of series: their dates, seasons, simple methods, and how forecasts are combined."""
