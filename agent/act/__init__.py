"""The only room that changes the world. An action says all; nothing is decided here."""
