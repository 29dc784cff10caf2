// narud: reads its configuration, runs a node until it is told to stop.

#include "broker/app/run_narud.hpp"

int main(int argc, char** argv) { return naru::broker::run_narud(argc, argv); }
