"""The recipe that makes a speaker embedding of the WeSpeaker ResNet34 family: see README.md."""
